"""An open session: both directions of reliable delivery over frames."""

from dataclasses import dataclass, field

from firmware_bridge.errors import RecordError
from firmware_bridge.link.frame import LAST, REPLY, Frame, FrameType, encode
from firmware_bridge.link.receiver import Arrival, Receiver
from firmware_bridge.link.round_trip import LEAST_MS, RoundTrip
from firmware_bridge.link.sender import Sender

START_TIMEOUT_MS = 4 * 32 + 20
"""Four of the longest frames at 115,200 baud, and 20 ms."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a message, in order.

    Attributes:
        is_first, is_last: where the message begins and ends.
    """

    method: int
    is_reply: bool
    payload: bytes
    is_first: bool
    is_last: bool


@dataclass(slots=True)
class Conversation:
    """What both sides of an open session do.

    Attributes:
        number: the session's.
        output: bytes to write to the port.
    """

    number: int
    window: int
    payload_bytes: int
    output: bytearray = field(default_factory=bytearray)
    sender: Sender = field(init=False)
    receiver: Receiver = field(init=False)
    _method: int | None = None
    _flags: int = 0

    def __post_init__(self) -> None:
        timeout = RoundTrip(max(LEAST_MS, START_TIMEOUT_MS))
        self.sender = Sender(self.window, self.payload_bytes, timeout)
        self.receiver = Receiver(self.window)

    def frame(self, frame: Frame, now_ms: int) -> Fragment | None:
        """Take a DATA, ACK or NAK.

        Returns:
            The fragment that came, if one did.

        Raises:
            RecordError: a fragment that belongs to no message, or is longer than was agreed.
        """
        self.sender.acknowledge(frame.ack, now_ms)
        if frame.type is FrameType.NAK:
            self.sender.go_back()
        if frame.type is not FrameType.DATA:
            return None
        if self.receiver.data(frame.seq, now_ms) is not Arrival.EXPECTED:
            return None
        fragment = self._fragment(frame)
        if self.receiver.unanswered * 2 >= self.window:
            self.acknowledge()
        return fragment

    def _fragment(self, frame: Frame) -> Fragment:
        is_first = self._method is None
        flags = frame.flags & REPLY
        if not is_first and (frame.method, flags) != (self._method, self._flags):
            raise RecordError(f"a fragment of method {frame.method} inside of {self._method}")
        if len(frame.payload) > self.payload_bytes:
            raise RecordError(f"a fragment of {len(frame.payload)} bytes")
        is_last = bool(frame.flags & LAST)
        self._method = None if is_last else frame.method
        self._flags = flags
        return Fragment(frame.method, bool(flags), frame.payload, is_first, is_last)

    def damaged(self, now_ms: int) -> None:
        """Something came that is no frame of this session."""
        self.receiver.lost(now_ms)

    def poll(self, now_ms: int) -> bool:
        """Write what is due; call it whenever no more bytes wait. False: five times in vain."""
        if not self.sender.expire(now_ms):
            return False
        if self.receiver.wants_nak:
            self.receiver.wants_nak = False
            self._write(Frame(FrameType.NAK, ack=self.receiver.expected))
        for frame in self.sender.due(self.receiver.expected, now_ms):
            self._write(frame)
        if self.receiver.unanswered or self.receiver.wants_ack:
            self.acknowledge()
        return True

    def acknowledge(self) -> None:
        """Say what is expected next."""
        self._write(Frame(FrameType.ACK, ack=self.receiver.expected))

    def _write(self, frame: Frame) -> None:
        self.receiver.answered()
        self.output += encode(frame, self.number)
