"""The sending half of a session: cuts messages into frames, and repeats what gets lost."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from firmware_bridge.link.frame import LAST, MIN_PAYLOAD_BYTES, REPLY, Frame, FrameType
from firmware_bridge.link.round_trip import RoundTrip

MAX_EXPIRIES = 5
GROW_AFTER = 16
"""Frames acknowledged without a loss, after which fragments grow again."""


@dataclass(slots=True)
class _Sent:
    frame: Frame
    sent_ms: int
    is_repeated: bool = False


@dataclass(slots=True)
class _Message:
    method: int
    flags: int
    body: bytes
    cut: int = 0


@dataclass(slots=True)
class Sender:
    """Go-back-N over at most `window` unacknowledged frames.

    Attributes:
        payload_bytes: the longest fragment that was agreed on.
    """

    window: int
    payload_bytes: int
    round_trip: RoundTrip
    repeated: int = 0
    _waiting: deque[_Message] = field(default_factory=deque)
    _unacknowledged: deque[_Sent] = field(default_factory=deque)
    _unsent: int = 0
    """How many of the unacknowledged, counted from the last, must be sent (again)."""
    _seq: int = 0
    _fragment_bytes: int = 0
    _since_loss: int = 0
    _expiries: int = 0
    _expires_ms: int | None = None

    def __post_init__(self) -> None:
        self._fragment_bytes = self.payload_bytes

    def queue(self, method: int, body: bytes, *, is_reply: bool) -> None:
        """Take a message; it is cut as there is room."""
        self._waiting.append(_Message(method, REPLY if is_reply else 0, body))

    @property
    def is_idle(self) -> bool:
        """Whether everything was sent and acknowledged."""
        return not self._waiting and not self._unacknowledged

    @property
    def expires_ms(self) -> int | None:
        """When `expire` wants to be called."""
        return self._expires_ms

    def due(self, ack: int, now_ms: int) -> Iterator[Frame]:
        """The frames to send now."""
        while self._unsent or (self._waiting and len(self._unacknowledged) < self.window):
            if self._unsent:
                sent = self._unacknowledged[-self._unsent]
                self._unsent -= 1
                sent.is_repeated = True
                sent.sent_ms = now_ms
                self.repeated += 1
            else:
                sent = _Sent(self._cut(), now_ms)
                self._unacknowledged.append(sent)
            if self._expires_ms is None:
                self._expires_ms = now_ms + self.round_trip.timeout_ms
            yield replace(sent.frame, ack=ack)

    def _cut(self) -> Frame:
        message = self._waiting[0]
        payload = message.body[message.cut : message.cut + self._fragment_bytes]
        message.cut += len(payload)
        flags = message.flags
        if message.cut == len(message.body):
            flags |= LAST
            self._waiting.popleft()
        frame = Frame(FrameType.DATA, flags, self._seq, 0, message.method, payload)
        self._seq = (self._seq + 1) % 256
        return frame

    def acknowledge(self, ack: int, now_ms: int) -> None:
        """The other side expects `ack`; what it cannot mean is ignored."""
        base = (self._seq - len(self._unacknowledged)) % 256
        count = (ack - base) % 256
        if not 0 < count <= len(self._unacknowledged):
            return
        for _ in range(count):
            sent = self._unacknowledged.popleft()
            self._note_delivery()
        self._unsent = min(self._unsent, len(self._unacknowledged))
        if not sent.is_repeated:
            self.round_trip.measured(now_ms - sent.sent_ms)
        self.round_trip.progressed()
        self._expiries = 0
        is_waiting = len(self._unacknowledged) > self._unsent
        self._expires_ms = now_ms + self.round_trip.timeout_ms if is_waiting else None

    def go_back(self) -> None:
        """Send again all that is not acknowledged."""
        if self._unacknowledged:
            self._unsent = len(self._unacknowledged)
            self._expires_ms = None
            self._since_loss = 0
            self._fragment_bytes = max(MIN_PAYLOAD_BYTES, self._fragment_bytes // 2)

    def expire(self, now_ms: int) -> bool:
        """Go back if the time is up; False: it was up too often."""
        if self._expires_ms is None or now_ms < self._expires_ms:
            return True
        self._expiries += 1
        self.round_trip.expired()
        self.go_back()
        return self._expiries < MAX_EXPIRIES

    def _note_delivery(self) -> None:
        self._since_loss += 1
        if self._since_loss >= GROW_AFTER:
            self._since_loss = 0
            self._fragment_bytes = min(self.payload_bytes, self._fragment_bytes * 2)
