"""Random and mutated traffic for a device's end of a link, from a seed."""

import zlib
from random import Random

from firmware_bridge.link import cobs
from firmware_bridge.link.frame import LAST, REPLY, Frame, FrameType, encode
from firmware_bridge.link.opening import Hello, session_number
from tests.support.c_link import DECODE, POLL, RECEIVE, START, Command
from tests.support.c_link import REPLY as SEND

BOOT_NONCE = 0x5E1FED6E
MAX_REPLIES = 6


class Chaos:
    """Writes what a host might, then spoils some of it; knows the session well enough to get in."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now_ms = self.random.randrange(2**31)
        self.nonce = self.random.getrandbits(32)
        self.seq = self.ack = 0
        self.replies = 0
        self.frames = 0

    def commands(self, count: int) -> list[Command]:
        made = [Command(START, self.now_ms)]
        while len(made) < count:
            made += self._some()
        return made

    def _some(self) -> list[Command]:
        chance = self.random.random()
        self.now_ms = (self.now_ms + self.random.choice((0, 0, 1, 3, 40, 120, 700))) % 2**32
        if chance < 0.15:
            self.replies = 0
            return [Command(POLL, self.now_ms)]
        if chance < 0.2 and self.replies < MAX_REPLIES:
            self.replies += 1
            size = self.random.choice((0, 1, 40, 300, 1500))
            body = self.random.randbytes(size)
            return [Command(SEND, self.now_ms, b"\x03\x00" + body)]
        data = b"".join(self._frame() for _ in range(self.random.randrange(1, 5)))
        if self.random.random() < 0.3:
            data = spoil(self.random, data)
        if self.random.random() < 0.2:
            cut = self.random.randrange(len(data) + 1)
            parts = [data[:cut], data[cut:]]
        else:
            parts = [data]
        return [Command(RECEIVE, self.now_ms, part) for part in parts]

    def _frame(self) -> bytes:
        self.frames += 1
        random = self.random
        kind = random.choices(list(FrameType), (3, 1, 30, 12, 4, 1))[0]
        session = session_number(self.nonce, BOOT_NONCE)
        if random.random() < 0.02:
            session ^= 1
        if kind is FrameType.HELLO:
            return encode(Frame(kind, payload=self._hello()), session)
        if kind in (FrameType.WELCOME, FrameType.RESET):
            return encode(Frame(kind, payload=random.randbytes(random.randrange(60))), session)
        if random.random() < 0.3:
            self.ack = (self.ack + random.randrange(4)) % 256
        if kind is not FrameType.DATA:
            return encode(Frame(kind, ack=self.ack), session)
        flags = random.choice((0, LAST, LAST, LAST, LAST, REPLY | LAST))
        size = random.choice((0, 4, 30, 64, 360, 361))
        seq = self.seq if random.random() < 0.9 else random.randrange(256)
        self.seq = (seq + 1) % 256 if random.random() < 0.95 else self.seq
        method = random.choice((1, 1, 1, 2))
        frame = Frame(kind, flags, seq, self.ack, method, random.randbytes(size))
        return encode(frame, session)

    def _hello(self) -> bytes:
        random = self.random
        if random.random() < 0.5:
            self.nonce, self.seq, self.ack = random.getrandbits(32), 0, 0
        sound = Hello(self.nonce, random.randrange(1, 9), random.choice((32, 64, 255, 360)))
        if random.random() < 0.8:
            return sound.pack()
        odd = Hello(
            random.getrandbits(32),
            random.randrange(12),
            random.randrange(500),
            random.randrange(3),
            random.randrange(3),
        )
        return odd.pack() + random.randbytes(random.choice((0, 0, 1)))


def spoil(random: Random, data: bytes) -> bytes:
    """The bytes with some flipped, lost, added or repeated."""
    spoilt = bytearray(data)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(spoilt) + 1)
        what = random.randrange(4)
        if what == 0 and spoilt:
            spoilt[at % len(spoilt)] ^= 1 << random.randrange(8)
        elif what == 1:
            del spoilt[at : at + random.randrange(1, 20)]
        elif what == 2:
            spoilt[at:at] = random.randbytes(random.choice((1, 3, 400)))
        else:
            spoilt[at:at] = spoilt[at : at + random.randrange(30)]
    return bytes(spoilt)


def suspects(random: Random, count: int) -> list[Command]:
    """What might stand between two delimiters: frames, spoilt ones, sealed nonsense and noise."""
    return [Command(DECODE, 0, bytes(4) + _suspect(random)) for _ in range(count)]


def _suspect(random: Random) -> bytes:
    chance = random.random()
    if chance < 0.1:
        return random.randbytes(random.randrange(400))
    if chance < 0.55:  # a right CRC over any header: what the checks behind it see
        kind = random.choice((*FrameType, 0, 7, 15))
        version = random.choice((1, 1, 1, 1, 0, 2))
        head = [version << 4 | kind, random.choice((0, 0, 1, 3, 4)), random.choice((0, 0, 9))]
        head += [random.choice((0, 0, 9)), random.choice((0, 0, 1)), 0]
        size = random.choice((0, 0, 5, 12, 360, 361))
        told = size if random.random() < 0.8 else random.randrange(500)
        content = bytes(head) + told.to_bytes(2, "little") + random.randbytes(size)
        content = content[: random.randrange(12)] if random.random() < 0.05 else content
        return cobs.encode(content + zlib.crc32(content).to_bytes(4, "little"))
    frame = Frame(FrameType.DATA, LAST, 1, 2, 3, random.randbytes(random.randrange(361)))
    wire = encode(frame, 0)[1:-1]
    return wire if chance < 0.65 else spoil(random, wire)
