"""A device that lies: frames of the right session with wrong contents, and plain damage."""

from random import Random

from firmware_bridge.link.deframer import Deframer
from firmware_bridge.link.frame import LAST, REPLY, Frame, FrameType, decode, encode
from firmware_bridge.link.opening import About, Hello, Welcome, pack_reset, session_number
from tests.support.link_chaos import spoil

BOOT_NONCE = 0xBAD


class LyingDevice:
    """Listens to a host well enough to get into its session; everything else is chance."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.frames = 0
        self._deframer = Deframer()
        self._hello = Hello(0)
        self._seq = self._host_seq = 0
        self._asked = [(0, 1)]  # call numbers and methods

    def answer(self, heard: bytes) -> bytes:
        """What it says next."""
        for stuffed in self._deframer.feed(heard):
            frame = decode(stuffed, self._session)
            if isinstance(frame, Frame):
                self._note(frame)
        said = b"".join(self._frame() for _ in range(self.random.randrange(1, 5)))
        return spoil(self.random, said) if self.random.random() < 0.2 else said

    @property
    def _session(self) -> int:
        return session_number(self._hello.nonce, BOOT_NONCE)

    def _note(self, frame: Frame) -> None:
        if frame.type is FrameType.HELLO:
            self._hello, self._seq = Hello.unpack(frame.payload), 0
            return
        self._seq = frame.ack
        if frame.type is FrameType.DATA:
            self._host_seq = (frame.seq + 1) % 256
            number = int.from_bytes(frame.payload[:4], "little")
            self._asked = [*self._asked[-5:], (number, frame.method)]

    def _frame(self) -> bytes:
        self.frames += 1
        random = self.random
        kinds = (FrameType.HELLO, *FrameType)
        kind = random.choices(kinds, (0.3, 0.3, 6, 60, 15, 3, 0.3))[0]
        payload, flags, seq, ack, method = b"", 0, 0, 0, 0
        if kind is FrameType.WELCOME:
            payload = self._welcome()
        elif kind is FrameType.RESET:
            payload = pack_reset(random.randrange(1, 6), BOOT_NONCE)
        elif kind is FrameType.HELLO:
            payload = random.randbytes(random.randrange(20))
        else:
            ack = self._host_seq if random.random() < 0.8 else random.randrange(256)
        if kind is FrameType.DATA:
            flags = random.choices((REPLY | LAST, REPLY, LAST), (30, 2, 1))[0]
            seq = self._seq
            if random.random() < 0.1:
                seq = random.randrange(256)
            else:
                self._seq = (seq + 1) % 256
            number, method = random.choice(self._asked)
            method = method if random.random() < 0.97 else 300
            payload = self._reply(number)
        frame = Frame(kind, flags, seq, ack, method, payload)
        return encode(frame, self._session ^ (random.random() < 0.02))

    def _welcome(self) -> bytes:
        random = self.random
        if random.random() < 0.2:
            return random.randbytes(random.randrange(130))
        nonce = self._hello.nonce if random.random() < 0.9 else random.getrandbits(32)
        window, limit = random.randrange(1, 9), random.choice((32, 100, 360, 360, 400))
        payload = bytearray(Welcome(nonce, BOOT_NONCE, 4, 360, About()).pack())
        payload[1], payload[4:6] = window, limit.to_bytes(2, "little")
        return bytes(payload)

    def _reply(self, number: int) -> bytes:
        random = self.random
        status = bytes([random.choice((0, 0, 0, 3, 10, 77)), 0, 0, 0])
        return (
            number.to_bytes(4, "little") + status + random.randbytes(random.choice((0, 4, 50, 350)))
        )[:360]
