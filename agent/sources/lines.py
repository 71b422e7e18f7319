"""A stream of bytes as lines, and lines as rows of numbers."""

import math

import numpy as np
from numpy.typing import NDArray

MAX_LINE_BYTES = 4096
MAX_VALUES = 1024


class LineSplitter:
    """Cuts a stream into lines, whatever pieces it comes in; what exceeds a line is dropped."""

    def __init__(self, *, in_midstream: bool = False) -> None:
        """Begin; in midstream, the first line is incomplete and is passed over."""
        self._buffer = bytearray()
        self._passing_over = in_midstream
        self.overlong = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return each line that `data` completes, without its end."""
        lines = []
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._append(piece)
            if not self._passing_over:
                lines.append(bytes(self._buffer))
            self._passing_over = False
            self._buffer.clear()
        self._append(rest)
        return lines

    def _append(self, piece: bytes) -> None:
        if self._passing_over:
            return
        if len(self._buffer) + len(piece) > MAX_LINE_BYTES:
            self.overlong += 1
            self._passing_over = True
            self._buffer.clear()
        else:
            self._buffer += piece


class RowParser:
    """Parses lines of numbers of one width.

    A row of another width is refused, unless the row before it was refused for the same width:
    then the sender has changed, or the first row of all was cut.
    """

    def __init__(self, separator: str = ",", columns: tuple[int, ...] = ()) -> None:
        """Split at `separator`, or at blanks if it is blank; keep `columns`, or all."""
        self._separator = separator if separator.strip() else None
        self._columns = columns
        self._width: int | None = None
        self._odd_width: int | None = None

    def parse(self, line: bytes) -> NDArray[np.float32]:
        """Return the row as float32 [columns].

        Raises:
            ValueError: not finite numbers, not of the width of the others, or a column is missing.
        """
        words = line.decode("ascii").strip().split(self._separator, MAX_VALUES)
        if len(words) > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
        numbers = [float(word) for word in words]
        row = finite_row(numbers)
        self._expect(len(numbers))
        if not self._columns:
            return row
        if max(self._columns) >= len(numbers) or min(self._columns) < 0:
            raise ValueError(f"columns {self._columns} of {len(numbers)}")
        return row[list(self._columns)]

    def _expect(self, width: int) -> None:
        if self._width is None or width in (self._width, self._odd_width):
            self._width, self._odd_width = width, None
        else:
            self._odd_width = width
            raise ValueError(f"{width} values, {self._width} expected")


def finite_row(numbers: list[float]) -> NDArray[np.float32]:
    """Return finite numbers as float32.

    Raises:
        ValueError: there are none, or one is not finite in float32.
    """
    if not numbers:
        raise ValueError("no values")
    if not all(math.isfinite(number) and abs(number) < 3.4e38 for number in numbers):
        raise ValueError("a value is not finite")
    return np.array(numbers, np.float32)
