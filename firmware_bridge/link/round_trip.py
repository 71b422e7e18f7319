"""How long to wait for an acknowledgement (RFC 6298, in integers as the device computes it)."""

from dataclasses import dataclass

LEAST_MS = 30
MOST_MS = 4000


@dataclass(slots=True)
class RoundTrip:
    """The timeout of unacknowledged frames: doubled when it passes, until anything arrives.

    A serial line is not congested by others: unlike TCP, it need not stay slow after a loss.
    """

    _base_ms: int
    _doublings: int = 0
    _smoothed_8: int = 0
    _variation_4: int = 0

    def measured(self, elapsed_ms: int) -> None:
        """A frame that was sent once was acknowledged after so long."""
        elapsed_ms = min(elapsed_ms, MOST_MS)
        if self._smoothed_8 == 0:
            self._smoothed_8 = max(1, elapsed_ms * 8)
            self._variation_4 = elapsed_ms * 2
        else:
            error = elapsed_ms - (self._smoothed_8 >> 3)
            self._smoothed_8 = max(1, self._smoothed_8 + error)
            self._variation_4 += abs(error) - (self._variation_4 >> 2)
        self._base_ms = max(LEAST_MS, (self._smoothed_8 >> 3) + self._variation_4)

    def expired(self) -> None:
        """The timeout passed: wait twice as long."""
        self._doublings += 1

    def progressed(self) -> None:
        """Something was acknowledged."""
        self._doublings = 0

    @property
    def timeout_ms(self) -> int:
        """What holds now."""
        return min(MOST_MS, self._base_ms << self._doublings)
