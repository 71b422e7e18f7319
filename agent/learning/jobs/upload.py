"""The slices of one update on their way: a few at a time, so that results need not wait."""

from collections import deque
from collections.abc import Iterable

WINDOW = 4
"""Slices that the broker has not answered: 256 kB at most."""


class Upload:
    """One sending after the other; what is left of an earlier one is void."""

    def __init__(self) -> None:
        self.attempt = 0
        self._waiting: deque[int] = deque()
        self._flying: set[int] = set()
        self._sending = False

    def begin(self, slices: Iterable[int]) -> None:
        """Send these."""
        self.attempt += 1
        self._waiting, self._flying = deque(slices), set()
        self._sending = True

    def stop(self) -> None:
        """Send no more, and expect no answer."""
        self.begin(())
        self._sending = False

    def next(self) -> list[int]:
        """Slices to publish now."""
        room = min(WINDOW - len(self._flying), len(self._waiting))
        fresh = [self._waiting.popleft() for _ in range(max(0, room))]
        self._flying.update(fresh)
        return fresh

    def taken(self, attempt: int, number: int) -> bool:
        """The broker answered one; whether that was one of this sending."""
        if attempt != self.attempt or number not in self._flying:
            return False
        self._flying.remove(number)
        return True

    def is_through(self) -> bool:
        """Whether the broker has answered all of them; said once."""
        done = self._sending and not self._waiting and not self._flying
        self._sending = self._sending and not done
        return done
