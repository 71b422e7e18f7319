"""Frames, text and noise for the whole firmware, from a seed; then questions it must answer."""

from random import Random

from firmware_bridge.calls.methods import pack_infer
from firmware_bridge.link.frame import LAST, Frame, FrameType, encode
from firmware_bridge.link.opening import Hello, session_number
from tests.support.link_chaos import spoil
from tests.support.text_chaos import commands
from tests.support.virtual_firmware import VirtualFirmware

BOOT_NONCE = 21
TEXT_AGAIN_MS = 2000
METHODS = (1, 1, 2, 3, 4, 5, 6, 6, 7, 9, 12, 500)


def endure(seed: int, steps: int, plan: bytes, sha256: bytes) -> int:
    """Talk nonsense to a device that holds a plan; returns how many bytes it said."""
    random, now_ms, said = Random(seed), 0, 0
    device, host = VirtualFirmware(BOOT_NONCE), _Host(random, sha256)
    for request in (_begin(plan, sha256), *_chunks(plan), (4, sha256)):
        device.receive(host.request(*request), 0)
    assert len(device.take_output()) > 200
    texts = commands(random, steps)
    for _ in range(steps):
        now_ms += random.choice((0, 0, 1, 30, 200, 2500))
        chance = random.random()
        if chance < 0.4:
            data = host.anything()
        elif chance < 0.9:
            data = f"{next(texts)}%".encode()
        else:
            data = random.randbytes(random.randrange(600))
        device.receive(spoil(random, data) if random.random() < 0.2 else data, now_ms)
        said += len(device.take_output())
    _answers_both(device, now_ms + 2 * TEXT_AGAIN_MS)
    return said


def _answers_both(device: VirtualFirmware, now_ms: int) -> None:
    device.poll(now_ms)
    device.receive(b"%", now_ms)
    device.take_output()
    device.receive(b"name%", now_ms)
    assert device.take_output() == b"m-name-dut-[selvedge-virtual]\r\nm-ready\r\n"
    device.receive(b"\0" + encode(Frame(FrameType.HELLO, payload=Hello(77).pack()), 0), now_ms)
    frame = Frame(FrameType.DATA, LAST, 0, 0, 1, b"ask!")
    device.receive(encode(frame, session_number(77, BOOT_NONCE)), now_ms)
    assert b"ask!" in device.take_output()


def _begin(plan: bytes, sha256: bytes) -> tuple[int, bytes]:
    return 2, sha256 + len(plan).to_bytes(4, "little")


def _chunks(plan: bytes) -> list[tuple[int, bytes]]:
    starts = range(0, len(plan), 300)
    return [(3, at.to_bytes(4, "little") + plan[at : at + 300]) for at in starts]


class _Host:
    """A host that asks what makes sense, and then what does not."""

    def __init__(self, random: Random, sha256: bytes) -> None:
        self._random, self._sha256 = random, sha256
        self._nonce = self._seq = self._number = 0

    def request(self, method: int, body: bytes) -> bytes:
        """In a session of its own."""
        self._number += 1
        message = self._number.to_bytes(4, "little") + body
        return self._hello() + self._data(method, message)

    def anything(self) -> bytes:
        random = self._random
        if random.random() < 0.2:
            return self._hello()
        method = random.choice(METHODS)
        body = random.choice(
            (
                b"",
                self._sha256,
                random.randbytes(random.randrange(350)),
                pack_infer(self._sha256, random.randbytes(random.choice((3, 3, 4)))),
                self._sha256[:8] + random.randrange(3).to_bytes(4, "little"),
            )
        )
        number = random.randrange(5) if random.random() < 0.5 else random.getrandbits(32)
        return self._data(method, number.to_bytes(4, "little") + body)

    def _hello(self) -> bytes:
        self._nonce, self._seq = self._random.getrandbits(32), 0
        return encode(Frame(FrameType.HELLO, payload=Hello(self._nonce).pack()), 0)

    def _data(self, method: int, message: bytes) -> bytes:
        last = LAST if self._random.random() < 0.9 else 0
        frame = Frame(FrameType.DATA, last, self._seq, 0, method, message[:360])
        self._seq = (self._seq + 1) % 256
        return encode(frame, session_number(self._nonce, BOOT_NONCE))
