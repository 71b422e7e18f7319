"""How long to wait before the next attempt: exponential, with full jitter."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Waits between attempts.

    Full jitter spreads a fleet that lost the same broker at the same moment (Brooker, "Exponential
    Backoff And Jitter", 2015); `floor_s` keeps the shortest wait above zero.
    """

    floor_s: float = 0.5
    first_s: float = 2.0
    most_s: float = 120.0

    def wait_s(self, attempt: int, random: Callable[[], float]) -> float:
        """Return the wait before attempt number `attempt` (0 is the first retry).

        Args:
            random: uniform in [0, 1).
        """
        ceiling_s = min(self.most_s, self.first_s * 2.0 ** min(attempt, 30))
        return self.floor_s + random() * max(0.0, ceiling_s - self.floor_s)
