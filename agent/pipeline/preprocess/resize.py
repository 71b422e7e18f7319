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

STRIP_ELEMENTS = 32768
"""128 kB of floats: larger strips are no faster, and smaller ones spend their time in calls."""


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
        self._index = (part.top + rows)[:, np.newaxis] * width + part.left + columns
        right, below = int(part.width > 1), width * int(part.height > 1)
        self._steps = (0, right, below, below + right)
        self._column_weights = np.repeat(column_weights, channels)
        self._row_weights = row_weights[:, np.newaxis]
        self._strips = _strips(size[0], size[1] * channels)
        height = self._strips[0].stop
        self._gathered = np.empty((height, size[1], channels), np.uint8)
        self._taps = np.empty((4, height, size[1] * channels), np.float32)
        self._out = np.empty((*size, channels), np.uint8)

    def apply(self, picture: Tensor) -> Tensor:
        """Return uint8 [height, width, channels], valid until the next call."""
        pixels = picture.reshape(-1, picture.shape[2])
        for rows in self._strips:
            index = self._index[rows]
            taps, gathered = self._taps[:, : len(index)], self._gathered[: len(index)]
            for tap, step in zip(taps, self._steps, strict=True):
                np.take(pixels[step:], index, axis=0, out=gathered, mode="clip")
                np.copyto(tap, gathered.reshape(tap.shape))
            left, right, below_left, below_right = taps
            above = _blend(left, right, self._column_weights)
            below = _blend(below_left, below_right, self._column_weights)
            _round(_blend(above, below, self._row_weights[rows]), self._out[rows])
        return self._out


class Area:
    """Averages what each output pixel covers: first down the columns, then along the rows."""

    def __init__(self, shape: tuple[int, ...], part: Rect, size: tuple[int, int]) -> None:
        channels = shape[2]
        self._rows, self._row_weights = _covered(part.height, size[0])
        self._rows += part.top
        self._columns, self._column_weights = _covered(part.width, size[1])
        self._cut = slice(part.left * channels, (part.left + part.width) * channels)
        self._strips = _strips(size[0], shape[1] * channels)
        height = self._strips[0].stop
        self._gathered_rows = np.empty((height, shape[1] * channels), np.uint8)
        self._weighted_rows = np.empty((height, part.width * channels), np.float32)
        self._row_means = np.empty((height, part.width, channels), np.float32)
        self._gathered = np.empty((height, size[1], channels), np.float32)
        self._means = np.empty((height, size[1], channels), np.float32)
        self._out = np.empty((*size, channels), np.uint8)

    def apply(self, picture: Tensor) -> Tensor:
        """Return uint8 [height, width, channels], valid until the next call."""
        lines = picture.reshape(picture.shape[0], -1)
        for rows in self._strips:
            out = self._out[rows]
            row_means = self._average_rows(lines, rows, len(out))
            _round(self._average_columns(row_means), out)
        return self._out

    def _average_rows(self, lines: Tensor, rows: slice, height: int) -> Floats:
        gathered, weighted = self._gathered_rows[:height], self._weighted_rows[:height]
        means = self._row_means[:height]
        total = means.reshape(weighted.shape)
        total.fill(0)
        for index, weights in zip(self._rows[:, rows], self._row_weights[:, rows], strict=True):
            np.take(lines, index, axis=0, out=gathered, mode="clip")
            np.multiply(gathered[:, self._cut], weights[:, np.newaxis], out=weighted)
            total += weighted
        return means

    def _average_columns(self, row_means: Floats) -> Floats:
        gathered, means = self._gathered[: len(row_means)], self._means[: len(row_means)]
        means.fill(0)
        for index, weights in zip(self._columns, self._column_weights, strict=True):
            np.take(row_means, index, axis=1, out=gathered, mode="clip")
            np.multiply(gathered, weights[:, np.newaxis], out=gathered)
            means += gathered
        return means


def _strips(height: int, row_elements: int) -> list[slice]:
    """Cut the output into strips of rows whose intermediate floats stay in the cache."""
    rows = min(height, max(1, STRIP_ELEMENTS // row_elements))
    return [slice(start, start + rows) for start in range(0, height, rows)]


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


def _round(values: Floats, out: Tensor) -> None:
    """Round values within 0 to 255 to the nearest grey level, halves up."""
    values += 0.5
    np.copyto(out, values.reshape(out.shape), casting="unsafe")
