"""Resize uint8 pictures by tables that are made once for each size of picture.

Pixel centres lie at half-integers: the centre of output pixel i falls on (i + 1/2) × scale - 1/2.
- nearest: Pillow's NEAREST, and OpenCV's INTER_NEAREST_EXACT but for its rounding of exact ties;
  OpenCV's INTER_NEAREST lies half a pixel off.
- bilinear: OpenCV's INTER_LINEAR; two taps an axis and no smoothing when shrinking.
- area: the mean over the part of the picture that an output pixel covers; OpenCV's INTER_AREA
  where both axes shrink.
"""

from typing import Literal, Protocol

import numpy as np

from agent.pipeline.preprocess.fit import Rect
from agent.pipeline.sample import Floats, Tensor

Interpolation = Literal["nearest", "bilinear", "area"]


class Resize(Protocol):
    """Scales one part of pictures of one shape to one size."""

    def apply(self, picture: Tensor) -> Tensor:
        """Return uint8 [height, width, channels], valid until the next call."""


def build_resize(
    interpolation: Interpolation, shape: tuple[int, ...], part: Rect, size: tuple[int, int]
) -> Resize:
    """Make the tables for pictures of `shape` [height, width, channels], cut to `part`.

    Args:
        interpolation: how.
        shape: of the whole picture.
        part: what of it is scaled.
        size: (height, width) of the result.
    """
    if interpolation == "nearest":
        return Nearest(shape, part, size)
    if interpolation == "bilinear":
        return Bilinear(shape, part, size)
    return Area(shape, part, size)


class Nearest:
    """Copies the pixel under each output pixel's centre."""

    def __init__(self, shape: tuple[int, ...], part: Rect, size: tuple[int, int]) -> None:
        rows = part.top + _nearest(part.height, size[0])
        columns = part.left + _nearest(part.width, size[1])
        self._index = rows[:, np.newaxis] * shape[1] + columns
        self._out = np.empty((*size, shape[2]), np.uint8)

    def apply(self, picture: Tensor) -> Tensor:
        """Return uint8 [height, width, channels], valid until the next call."""
        pixels = picture.reshape(-1, picture.shape[2])
        return np.take(pixels, self._index, axis=0, out=self._out, mode="clip")


class Bilinear:
    """Weighs the four pixels around each output pixel's centre."""

    def __init__(self, shape: tuple[int, ...], part: Rect, size: tuple[int, int]) -> None:
        width, channels = shape[1:]
        rows, row_weights = _two_taps(part.height, size[0])
        columns, column_weights = _two_taps(part.width, size[1])
        index = (part.top + rows)[:, np.newaxis] * width + part.left + columns
        self._index = index.ravel()
        right, below = int(part.width > 1), width * int(part.height > 1)
        self._steps = (0, right, below, below + right)
        self._column_weights = np.repeat(column_weights, channels)
        self._row_weights = row_weights[:, np.newaxis]
        flat = (size[0], size[1] * channels)
        self._gathered = np.empty((size[0] * size[1], channels), np.uint8)
        self._taps = np.empty((4, *flat), np.float32)
        self._out = np.empty((*size, channels), np.uint8)

    def apply(self, picture: Tensor) -> Tensor:
        """Return uint8 [height, width, channels], valid until the next call."""
        pixels = picture.reshape(-1, picture.shape[2])
        for tap, step in zip(self._taps, self._steps, strict=True):
            np.take(pixels[step:], self._index, axis=0, out=self._gathered, mode="clip")
            np.copyto(tap, self._gathered.reshape(tap.shape))
        left, right, below_left, below_right = self._taps
        above = _blend(left, right, self._column_weights)
        below = _blend(below_left, below_right, self._column_weights)
        return _round(_blend(above, below, self._row_weights), self._out)


class Area:
    """Averages what each output pixel covers: first down the columns, then along the rows."""

    def __init__(self, shape: tuple[int, ...], part: Rect, size: tuple[int, int]) -> None:
        self._part = part
        self._rows, self._row_weights = _covered(part.height, size[0])
        self._rows += part.top
        self._columns, self._column_weights = _covered(part.width, size[1])
        channels = shape[2]
        self._gathered_rows = np.empty((size[0], shape[1] * channels), np.uint8)
        self._weighted_rows = np.empty((size[0], part.width * channels), np.float32)
        self._rows_sum = np.empty((size[0], part.width, channels), np.float32)
        self._gathered = np.empty((*size, channels), np.float32)
        self._sum = np.empty((*size, channels), np.float32)
        self._out = np.empty((*size, channels), np.uint8)

    def apply(self, picture: Tensor) -> Tensor:
        """Return uint8 [height, width, channels], valid until the next call."""
        channels = picture.shape[2]
        lines = picture.reshape(picture.shape[0], -1)
        cut = slice(self._part.left * channels, (self._part.left + self._part.width) * channels)
        total = self._rows_sum.reshape(self._weighted_rows.shape)
        total.fill(0)
        for rows, weights in zip(self._rows, self._row_weights, strict=True):
            np.take(lines, rows, axis=0, out=self._gathered_rows, mode="clip")
            np.multiply(
                self._gathered_rows[:, cut], weights[:, np.newaxis], out=self._weighted_rows
            )
            total += self._weighted_rows
        self._sum.fill(0)
        for columns, weights in zip(self._columns, self._column_weights, strict=True):
            np.take(self._rows_sum, columns, axis=1, out=self._gathered, mode="clip")
            self._gathered *= weights[:, np.newaxis]
            self._sum += self._gathered
        return _round(self._sum, self._out)


def _nearest(source: int, target: int) -> Tensor:
    """floor((i + 1/2) × source / target), exactly."""
    return (2 * np.arange(target) + 1) * source // (2 * target)


def _two_taps(source: int, target: int) -> tuple[Tensor, Floats]:
    """The first of two neighbours, and the weight of the second; edges repeat."""
    centre = (np.arange(target) + 0.5) * (source / target) - 0.5
    centre = np.clip(centre, 0, source - 1)
    first = np.minimum(centre.astype(np.intp), max(source - 2, 0))
    return first, (centre - first).astype(np.float32)


def _covered(source: int, target: int) -> tuple[Tensor, Floats]:
    """The pixels that each output pixel covers, and their shares of it: both [taps, target]."""
    output = np.arange(target)
    # In units of 1/target of a source pixel everything is whole: no rounding moves an edge.
    start, end = output * source, (output + 1) * source
    first = start // target
    taps = int(((end - 1) // target - first).max()) + 1
    pixels = first + np.arange(taps)[:, np.newaxis]
    overlap = np.minimum(end, (pixels + 1) * target) - np.maximum(start, pixels * target)
    weights = np.maximum(overlap, 0) / source
    return np.minimum(pixels, source - 1), weights.astype(np.float32)


def _blend(first: Floats, second: Floats, weight: Floats) -> Floats:
    """Return first + (second - first) × weight, in the memory of `second`."""
    second -= first
    second *= weight
    second += first
    return second


def _round(values: Floats, out: Tensor) -> Tensor:
    """Round values within 0 to 255 to the nearest grey level, halves up."""
    values += 0.5
    np.copyto(out, values.reshape(out.shape), casting="unsafe")
    return out
