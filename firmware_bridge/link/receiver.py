"""The receiving half of a session: takes frames in order, and says what it lacks."""

from dataclasses import dataclass
from enum import Enum

NAK_AGAIN_MS = 100


class Arrival(Enum):
    """What a DATA frame is to the receiver."""

    EXPECTED = "expected"
    DUPLICATE = "duplicate"
    GAP = "gap"


@dataclass(slots=True)
class Receiver:
    """Counts what came.

    Attributes:
        expected: the sequence number that comes next; the `ack` of every frame that is sent.
        unanswered: frames taken since the last frame that was sent.
        wants_ack: an acknowledgement must go out even so.
        wants_nak: a NAK must go out.
    """

    window: int
    expected: int = 0
    unanswered: int = 0
    wants_ack: bool = False
    wants_nak: bool = False
    _nak_ms: int | None = None

    def data(self, seq: int, now_ms: int) -> Arrival:
        """A DATA frame came."""
        if seq == self.expected:
            self.expected = (self.expected + 1) % 256
            self.unanswered += 1
            self._nak_ms = None
            self.wants_nak = False
            return Arrival.EXPECTED
        if 0 < (self.expected - seq) % 256 <= self.window:
            self.wants_ack = True
            return Arrival.DUPLICATE
        self.lost(now_ms)
        return Arrival.GAP

    def lost(self, now_ms: int) -> None:
        """Something came that is no frame, or not the next one."""
        if self._nak_ms is None or now_ms - self._nak_ms >= NAK_AGAIN_MS:
            self._nak_ms = now_ms
            self.wants_nak = True

    def answered(self) -> None:
        """A frame with `ack` was sent."""
        self.unanswered = 0
        self.wants_ack = False
