"""A sliding window over rows."""

from collections.abc import Callable

import numpy as np

from agent.pipeline.sample import Tensor

MAX_BACKLOG = 16


class RowWindow:
    """Rows in, overlapping windows out: window i holds the rows from i × stride on.

    Memory is bounded by the rows of one push and `MAX_BACKLOG` windows that an earlier push left.

    Attributes:
        dropped: windows that nobody took in time.
    """

    def __init__(self, window: int, stride: int, width: int, dtype: np.dtype[np.generic]) -> None:
        self._window = window
        self._stride = stride
        self._rows = np.empty((2 * window, width), dtype)
        self._start = 0
        self._end = 0
        self._skip = 0
        self.dropped = 0

    @property
    def ready(self) -> int:
        """How many whole windows wait."""
        held = self._end - self._start
        return 0 if held < self._window else (held - self._window) // self._stride + 1

    def trim(self) -> None:
        """Drop the oldest windows beyond `MAX_BACKLOG`, to be called before each push."""
        if (excess := self.ready - MAX_BACKLOG) > 0:
            self._advance(excess)
            self.dropped += excess

    def append(self, count: int) -> Tensor:
        """Make room for `count` rows and return it to be written: [count, width] or less.

        Rows that no window will ever hold, because the stride exceeds the window, need not be
        written: the last rows of the `count` are the ones that count.
        """
        skipped = min(self._skip, count)
        self._skip -= skipped
        count -= skipped
        self._make_room(count)
        room = self._rows[self._end : self._end + count]
        self._end += count
        return room

    def take(self, tensor: Tensor) -> None:
        """Copy the oldest window into `tensor`, [window, width] in any shape, and drop it."""
        assert self.ready, "no window is ready"
        tensor[...] = self._rows[self._start : self._start + self._window].reshape(tensor.shape)
        self._advance(1)

    def take_over(self, other: "RowWindow", convert: Callable[[Tensor, Tensor], None]) -> None:
        """Go on where a window of the same size is; `convert` writes its rows into ours."""
        held = other._end - other._start
        self._rows = np.empty((max(2 * self._window, held), self._rows.shape[1]), self._rows.dtype)
        self._start, self._end, self._skip = 0, held, other._skip
        self.dropped = other.dropped
        if held:
            convert(other._rows[other._start : other._end], self._rows[:held])

    def clear(self) -> None:
        """Forget every row."""
        self._start = self._end = self._skip = 0

    def _advance(self, windows: int) -> None:
        self._start += windows * self._stride
        if self._start > self._end:
            self._skip += self._start - self._end
            self._start = self._end

    def _make_room(self, count: int) -> None:
        held = self._end - self._start
        capacity, rows = len(self._rows), self._rows
        needed = max(2 * self._window, held + count)
        if needed > capacity or capacity > 4 * needed:
            self._rows = np.empty((needed, rows.shape[1]), rows.dtype)
        elif self._end + count <= capacity:
            return
        self._rows[:held] = rows[self._start : self._end]
        self._start, self._end = 0, held
