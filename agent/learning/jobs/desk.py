"""The device's one learner: whoever needs it next waits for its turn."""

from dataclasses import dataclass, field
from typing import NamedTuple

from agent.control.events import Action, StartLearner, StopLearner
from agent.learning.learner.request import Request


class _Errand(NamedTuple):
    token: int
    request: Request


@dataclass
class Desk:
    """Requests in order; one at a time, for a device has memory for one.

    Attributes:
        trainings: learners that were started.
        failures: learners that ended without a report.
    """

    trainings: int = 0
    failures: int = 0
    _last: int = 0
    _closed: bool = False
    _at_work: _Errand | None = None
    _waiting: list[_Errand] = field(default_factory=list)

    def ask(self, request: Request) -> tuple[int, list[Action]]:
        """Have a request worked on; its end will be told under the token."""
        self._last += 1
        self._waiting.append(_Errand(self._last, request))
        return self._last, self._begin()

    def cancel(self, token: int | None) -> list[Action]:
        """Nobody waits for this one any more."""
        if self._at_work is not None and self._at_work.token == token:
            stop = StopLearner(self._at_work.token)
            self._at_work = None
            return [stop, *self._begin()]
        self._waiting = [one for one in self._waiting if one.token != token]
        return []

    def close(self) -> list[Action]:
        """No learner works any more."""
        stop = [] if self._at_work is None else [StopLearner(self._at_work.token)]
        self._at_work, self._waiting, self._closed = None, [], True
        return [*stop]

    def ended(self, token: int, *, well: bool) -> list[Action]:
        """A learner is gone; the next may begin."""
        if self._at_work is None or self._at_work.token != token:
            return []
        self.failures += not well
        self._at_work = None
        return self._begin()

    def _begin(self) -> list[Action]:
        if self._closed or self._at_work is not None or not self._waiting:
            return []
        self._at_work = self._waiting.pop(0)
        self.trainings += 1
        return [StartLearner(*self._at_work)]
