"""A state that changes only after it was wanted several times in a row.

| wanted                | run                | then                                   |
|-----------------------|--------------------|----------------------------------------|
| what is               | any                | run ends                               |
| something new         | none, or of other  | run of it begins at 1                  |
| the same new thing    | below debounce     | run grows by 1                         |
| the same new thing    | reaches debounce   | it becomes what is, run ends, *changed*|
"""

from typing import Generic, TypeVar

State = TypeVar("State")


class Latch(Generic[State]):
    """Debounces a state.

    Attributes:
        state: what holds now.
        fresh: nothing was wanted yet, so nobody was told of the state.
    """

    __slots__ = ("_debounce", "_run", "_wanted", "fresh", "state")

    def __init__(self, state: State, debounce: int, *, fresh: bool = True) -> None:
        self.state = state
        self.fresh = fresh
        self._debounce = debounce
        self._wanted = state
        self._run = 0

    def step(self, wanted: State) -> bool:
        """Want a state; return whether it is news: it changed, or is the first to be told."""
        news = self.fresh
        self.fresh = False
        if wanted == self.state:
            self._run = 0
            return news
        self._run = self._run + 1 if self._run and wanted == self._wanted else 1
        self._wanted = wanted
        if self._run < self._debounce:
            return news
        self.state = wanted
        self._run = 0
        return True
