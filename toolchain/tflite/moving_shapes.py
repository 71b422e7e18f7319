"""Shapes that come out of operators that move, resize or sum up elements, as constants say.

A rule returns None where a constant that decides is only known at run time.
"""

from collections.abc import Callable

from toolchain.tflite.operands import Operands, Shape
from toolchain.tflite.options import (
    Pack,
    Reducer,
    ResizeBilinear,
    ResizeNearestNeighbor,
    Split,
    SplitV,
    StridedSlice,
    Unpack,
)
from toolchain.tflite.slicing import Taken, slices, strided_slice

Shapes = tuple[Shape, ...]


def _strided_slice(operands: Operands) -> Shapes | None:
    shape, options = operands.input(0).shape, operands.operator.options
    assert isinstance(options, StridedSlice)
    begin, end, strides = (operands.integers(number) for number in (1, 2, 3))
    if begin is None or end is None or strides is None:
        return None
    try:
        taken = strided_slice(shape, begin, end, strides, options)
    except ValueError as error:
        operands.refuse(str(error))
    return (_lengths(taken),)


def _slice(operands: Operands) -> Shapes | None:
    shape, begin, size = operands.input(0).shape, operands.integers(1), operands.integers(2)
    if begin is None or size is None:
        return None
    try:
        return (_lengths(slices(shape, begin, size)),)
    except ValueError as error:
        operands.refuse(str(error))


def _lengths(taken: tuple[Taken, ...]) -> Shape:
    return tuple(one.count for one in taken if not one.is_dropped)


def _split(operands: Operands) -> Shapes | None:
    options = operands.operator.options
    assert isinstance(options, Split)
    shape, axes = operands.input(1).shape, operands.integers(0)
    if options.num_splits < 1 or options.num_splits != len(operands.outputs):
        operands.refuse(f"has {len(operands.outputs)} outputs for {options.num_splits} splits")
    if axes is None:
        return None
    axis = _one_axis(operands, axes, len(shape))
    if shape[axis] % options.num_splits:
        operands.refuse(f"{shape[axis]} do not split into {options.num_splits}")
    part = (*shape[:axis], shape[axis] // options.num_splits, *shape[axis + 1 :])
    return (part,) * options.num_splits


def _split_v(operands: Operands) -> Shapes | None:
    options = operands.operator.options
    assert isinstance(options, SplitV)
    shape, sizes, axes = operands.input(0).shape, operands.integers(1), operands.integers(2)
    if options.num_splits < 1 or options.num_splits != len(operands.outputs):
        operands.refuse(f"has {len(operands.outputs)} outputs for {options.num_splits} splits")
    if sizes is None or axes is None:
        return None
    axis = _one_axis(operands, axes, len(shape))
    rest = shape[axis] - sum(size for size in sizes if size != -1)
    known = [rest if size == -1 else size for size in sizes]
    if len(sizes) != options.num_splits or sizes.count(-1) > 1 or min(known) < 0:
        operands.refuse(f"sizes {sizes} for {options.num_splits} splits of {shape[axis]}")
    if sum(known) != shape[axis]:
        operands.refuse(f"sizes {sizes} do not add up to {shape[axis]}")
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in known)


def _one_axis(operands: Operands, axes: list[int], rank: int) -> int:
    if len(axes) != 1:
        operands.refuse(f"{len(axes)} axes, not 1")
    return operands.axis(axes[0], rank)


def _pack(operands: Operands) -> Shapes:
    options = operands.operator.options
    assert isinstance(options, Pack)
    shapes = {operands.input(number).shape for number in range(max(1, len(operands.inputs)))}
    if options.values_count != len(operands.inputs) or len(shapes) != 1:
        operands.refuse(
            f"{len(operands.inputs)} inputs of {len(shapes)} shapes, not {options.values_count} "
            "of one"
        )
    (shape,) = shapes
    axis = operands.axis(options.axis, len(shape) + 1)
    return ((*shape[:axis], len(operands.inputs), *shape[axis:]),)


def _unpack(operands: Operands) -> Shapes:
    options, shape = operands.operator.options, operands.input(0).shape
    assert isinstance(options, Unpack)
    axis = operands.axis(options.axis, len(shape))
    if not options.num == len(operands.outputs) == shape[axis]:
        operands.refuse(
            f"{len(operands.outputs)} outputs and num {options.num} for a dimension of "
            f"{shape[axis]}"
        )
    return ((*shape[:axis], *shape[axis + 1 :]),) * options.num


def _transpose(operands: Operands) -> Shapes | None:
    shape, order = operands.input(0).shape, operands.integers(1)
    if order is None:
        return None
    if sorted(order) != list(range(len(shape))):
        operands.refuse(f"{order} is not a permutation of the {len(shape)} dimensions")
    return (tuple(shape[axis] for axis in order),)


def _pad(operands: Operands) -> Shapes | None:
    shape, around = operands.input(0).shape, operands.integers(1)
    if operands.input(1).shape != (len(shape), 2):
        operands.refuse(f"paddings of shape {list(operands.input(1).shape)} for {list(shape)}")
    if around is None:
        return None
    if min(around, default=0) < 0:
        operands.refuse(f"paddings {around} are negative")
    pairs = zip(around[::2], around[1::2], strict=True)
    return (tuple(n + before + after for n, (before, after) in zip(shape, pairs, strict=True)),)


def _resize(operands: Operands) -> Shapes | None:
    batch, _, _, channels = operands.input(0, 4).shape
    size, options = operands.integers(1), operands.operator.options
    assert isinstance(options, ResizeBilinear | ResizeNearestNeighbor)
    both = options.align_corners and options.half_pixel_centers
    if both and isinstance(options, ResizeBilinear):
        operands.refuse("align_corners and half_pixel_centers exclude each other")
    if size is None:
        return None
    if len(size) != 2 or min(size) < 1:
        operands.refuse(f"size {size} is not a height and a width")
    return ((batch, size[0], size[1], channels),)


def _reduce(operands: Operands) -> Shapes | None:
    shape, axes, options = operands.input(0).shape, operands.integers(1), operands.operator.options
    assert isinstance(options, Reducer)
    if axes is None:
        return None
    around = {operands.axis(axis, len(shape)) for axis in axes}
    return (
        tuple(
            1 if axis in around else length
            for axis, length in enumerate(shape)
            if options.keep_dims or axis not in around
        ),
    )


RULES: dict[str, Callable[[Operands], Shapes | None]] = {
    "PACK": _pack,
    "PAD": _pad,
    "PADV2": _pad,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"), _reduce),
}
