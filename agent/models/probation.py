"""What a model must have done before it is kept."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Probation:
    """Inputs that it answered, and time that it served without an error."""

    results: int = 20
    time_ms: int = 60_000


@dataclass
class Watch:
    """One probation; time and results count anew when the child does.

    Attributes:
        due_ms: when time alone may end it.
    """

    due_ms: int | None = None
    _since_ms: int | None = None
    _answered: int = 0

    def begin(self, probation: Probation, now_ms: int) -> None:
        """The model serves from now on."""
        self._since_ms, self._answered = now_ms, 0
        self.due_ms = now_ms + probation.time_ms

    def is_passed(self, probation: Probation, answered: int | None, now_ms: int) -> bool:
        """Whether it has served well for long enough; `answered` is the latest count, if new."""
        if self._since_ms is None:
            return False
        if answered is not None:
            self._answered = answered
        if now_ms - self._since_ms < probation.time_ms:
            return False
        self.due_ms = None
        return self._answered >= probation.results
