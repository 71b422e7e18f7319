"""How well a device behaves: quarantines that double, and counts for metrics."""

from dataclasses import dataclass

FIRST_QUARANTINE_MS, LONGEST_QUARANTINE_MS = 500, 60_000
PARDON_AFTER = 64
"""So many good answers one after the other make a device as good as new."""


@dataclass(slots=True)
class Tally:
    """What became of jobs, and how often a device was tried again."""

    answered: int = 0
    late: int = 0
    lost: int = 0
    uploads: int = 0
    quarantines: int = 0
    busy_ms: int = 0


@dataclass(slots=True)
class Health:
    """Strikes of one device.

    Attributes:
        until_ms: when its quarantine ends.
        longest_ms: no quarantine is longer.
    """

    until_ms: int = 0
    longest_ms: int = LONGEST_QUARANTINE_MS
    _strikes: int = 0
    _good: int = 0

    def blame(self, now_ms: int, strikes: int = 1) -> None:
        """It did wrong: each strike doubles the quarantine."""
        self._strikes, self._good = self._strikes + strikes, 0
        doubled_ms = FIRST_QUARANTINE_MS * 2 ** min(self._strikes - 1, 16)
        self.until_ms = now_ms + min(self.longest_ms, doubled_ms)

    def praise(self) -> None:
        """It answered well."""
        self._good += 1
        if self._good >= PARDON_AFTER:
            self._strikes = 0
