"""Which elements of a dimension STRIDED_SLICE and SLICE take (internal/strided_slice_logic.h)."""

from collections.abc import Sequence
from dataclasses import dataclass

from toolchain.tflite.options import StridedSlice


@dataclass(frozen=True, slots=True)
class Taken:
    """Elements `start`, `start + step`, … of one dimension, `count` of them.

    Attributes:
        is_dropped: the one element is taken and the dimension goes.
    """

    start: int
    step: int
    count: int
    is_dropped: bool = False


def strided_slice(
    shape: Sequence[int],
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int],
    options: StridedSlice,
) -> tuple[Taken, ...]:
    """Tell what is taken of each dimension; those beyond the lists are taken whole.

    Raises:
        ValueError: the lists do not fit the shape, a stride is 0, a dropped index is outside, or a
            mask is not supported; the text is for people.
    """
    if options.ellipsis_mask or options.new_axis_mask or options.offset:
        name = next(
            name for name in ("ellipsis_mask", "new_axis_mask", "offset") if getattr(options, name)
        )
        raise ValueError(f"{name} is not supported; export the model without it")
    if not len(begin) == len(end) == len(strides) <= len(shape):
        raise ValueError(
            f"{len(begin)} begins, {len(end)} ends and {len(strides)} strides for shape "
            f"{list(shape)}"
        )
    given = [
        _axis(length, begin[axis], end[axis], strides[axis], _Masks.of(options, axis))
        for axis, length in enumerate(shape[: len(begin)])
    ]
    return (*given, *(Taken(0, 1, length) for length in shape[len(begin) :]))


def slices(shape: Sequence[int], begin: Sequence[int], size: Sequence[int]) -> tuple[Taken, ...]:
    """Tell what SLICE takes of each dimension; a size of −1 is all that is left.

    Raises:
        ValueError: the lists do not fit the shape, or reach outside.
    """
    if not len(begin) == len(size) == len(shape):
        raise ValueError(f"{len(begin)} begins and {len(size)} sizes for shape {list(shape)}")
    taken = [
        Taken(start, 1, length - start if count == -1 else count)
        for length, start, count in zip(shape, begin, size, strict=True)
    ]
    if any(
        one.start < 0 or one.count < 0 or one.start + one.count > length
        for one, length in zip(taken, shape, strict=True)
    ):
        raise ValueError(f"begin {list(begin)}, size {list(size)} reach outside {list(shape)}")
    return tuple(taken)


@dataclass(frozen=True, slots=True)
class _Masks:
    begin: bool
    end: bool
    shrink: bool

    @classmethod
    def of(cls, options: StridedSlice, axis: int) -> "_Masks":
        masks = (options.begin_mask, options.end_mask, options.shrink_axis_mask)
        return cls(*(bool(mask >> axis & 1) for mask in masks))


def _axis(length: int, begin: int, end: int, stride: int, masks: _Masks) -> Taken:
    if stride == 0:
        raise ValueError("a stride is 0")
    lowest, highest = (0, length) if stride > 0 else (-1, length - 1)
    first, last = (lowest, highest) if stride > 0 else (highest, lowest)
    if masks.shrink:
        start = first if masks.begin else begin + length * (begin < 0)
        if not 0 <= start < length or stride < 0:
            raise ValueError(f"index {begin} with stride {stride} of a dimension of {length}")
        return Taken(start, 1, 1, is_dropped=True)
    start = first if masks.begin else max(lowest, min(highest, begin + length * (begin < 0)))
    stop = last if masks.end else max(lowest, min(highest, end + length * (end < 0)))
    return Taken(start, stride, max(0, -((start - stop) // stride)))
