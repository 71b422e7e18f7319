"""The last inputs of a model, so that a label that comes later can still be attached."""

from collections import deque
from typing import Any

from numpy.typing import NDArray


class Recent:
    """A ring bounded in number and bytes; inputs are numbered as answers are, from 0."""

    def __init__(self, most: int, limit_bytes: int) -> None:
        self._most = most
        self._limit_bytes = limit_bytes
        self._ring: deque[NDArray[Any]] = deque()
        self._bytes = 0
        self._count = 0

    def keep(self, model_input: NDArray[Any]) -> None:
        """Take in the input of the next answer; it is not copied."""
        self._ring.append(model_input)
        self._bytes += model_input.nbytes
        self._count += 1
        while len(self._ring) > self._most or self._bytes > self._limit_bytes:
            self._bytes -= self._ring.popleft().nbytes

    def get(self, number: int) -> NDArray[Any] | None:
        """The input of an answer, unless it is too long ago."""
        at = number - (self._count - len(self._ring))
        return self._ring[at] if 0 <= at < len(self._ring) else None

    def clear(self) -> None:
        """Forget the inputs; counting goes on."""
        self._ring.clear()
        self._bytes = 0
