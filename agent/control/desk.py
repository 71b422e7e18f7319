"""Errands of one kind, one after the other: whoever needs the next waits for its turn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from agent.control.events import Action

RequestT = TypeVar("RequestT")


class _Errand(NamedTuple, Generic[RequestT]):
    token: int
    request: RequestT


@dataclass
class Desk(Generic[RequestT]):
    """Requests in order; one at a time, for a device has memory for one.

    Attributes:
        start: makes the action that starts an errand under a token, of its request.
        stop: makes the action that ends it; nothing is told of it then.
        started: errands.
        failures: errands that ended without what they were for.
    """

    start: Callable[[int, RequestT], Action]
    stop: Callable[[int], Action]
    started: int = 0
    failures: int = 0
    _last: int = 0
    _closed: bool = False
    _at_work: _Errand[RequestT] | None = None
    _waiting: list[_Errand[RequestT]] = field(default_factory=list)

    def ask(self, request: RequestT) -> tuple[int, list[Action]]:
        """Have a request worked on; its end will be told under the token."""
        self._last += 1
        self._waiting.append(_Errand(self._last, request))
        return self._last, self._begin()

    def cancel(self, token: int) -> list[Action]:
        """Nobody waits for this one any more."""
        if self._at_work is not None and self._at_work.token == token:
            self._at_work = None
            return [self.stop(token), *self._begin()]
        self._waiting = [one for one in self._waiting if one.token != token]
        return []

    def close(self) -> list[Action]:
        """None is at work any more."""
        stop = [] if self._at_work is None else [self.stop(self._at_work.token)]
        self._at_work, self._waiting, self._closed = None, [], True
        return stop

    def ended(self, token: int, *, well: bool) -> list[Action]:
        """An errand is over; the next may begin."""
        if self._at_work is None or self._at_work.token != token:
            return []
        self.failures += not well
        self._at_work = None
        return self._begin()

    def _begin(self) -> list[Action]:
        if self._closed or self._at_work is not None or not self._waiting:
            return []
        self._at_work = self._waiting.pop(0)
        self.started += 1
        return [self.start(*self._at_work)]
