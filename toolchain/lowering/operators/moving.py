"""Operators that pick elements: slices, splits, TRANSPOSE; each output is one strided copy."""

from collections.abc import Sequence
from math import prod

from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan.numbers import MAX_RANK, Opcode
from toolchain.plan.parameters import StridedCopy
from toolchain.tflite.options import StridedSlice
from toolchain.tflite.slicing import Taken, slices, strided_slice


def lower_strided_slice(site: Site) -> Step:
    """Lower STRIDED_SLICE with constant limits."""
    options = site.operator.options
    assert isinstance(options, StridedSlice)
    begin, end, strides = (site.integers(number) for number in (1, 2, 3))
    try:
        taken = strided_slice(site.input(0).shape, begin, end, strides, options)
    except ValueError as error:
        site.refuse(str(error))
    return _take(site, 0, taken, site.operator.outputs[0])


def lower_slice(site: Site) -> Step:
    """Lower SLICE with constant limits."""
    try:
        taken = slices(site.input(0).shape, site.integers(1), site.integers(2))
    except ValueError as error:
        site.refuse(str(error))
    return _take(site, 0, taken, site.operator.outputs[0])


def lower_split(site: Site) -> tuple[Step, ...]:
    """Lower SPLIT into equal parts."""
    return _parts(site, number=1, axis=site.integers(0)[0])


def lower_split_v(site: Site) -> tuple[Step, ...]:
    """Lower SPLIT_V; how long a part is tells its output."""
    site.integers(1)
    return _parts(site, number=0, axis=site.integers(2)[0])


def lower_unpack(site: Site) -> tuple[Step, ...]:
    """Lower UNPACK: a part of length 1 for each output, without that dimension."""
    options = site.operator.options
    axis = getattr(options, "axis", 0) % max(1, len(site.input(0).shape))
    return tuple(
        _take(site, 0, _part(site, 0, axis, range(start, start + 1)), output)
        for start, output in enumerate(site.operator.outputs)
    )


def lower_transpose(site: Site) -> Step:
    """Lower TRANSPOSE with a constant order."""
    shape, order = site.input(0).shape, site.integers(1)
    if sorted(order) != list(range(len(shape))):
        site.refuse(f"{order} is not a permutation of the {len(shape)} dimensions")
    steps = _strides(shape)
    return strided_copy(
        site,
        site.operator.inputs[0],
        site.operator.outputs[0],
        0,
        [(shape[axis], steps[axis]) for axis in order],
    )


def strided_copy(
    site: Site, source: int, target: int, start: int, dimensions: Sequence[tuple[int, int]]
) -> Step:
    """Copy from element `start` on; `dimensions` are counts and steps in elements.

    Dimensions that walk on where the next one ends are joined, so that rows are long.
    """
    tensors = site.tensor(source), site.tensor(target)
    if tensors[0].dtype is not tensors[1].dtype:
        site.refuse(f"makes {tensors[1].dtype.label} of {tensors[0].dtype.label}")
    joined: list[tuple[int, int]] = []
    for count, step in dimensions:
        if joined and joined[-1][1] == count * step:
            joined[-1] = (joined[-1][0] * count, step)
        elif count != 1:
            joined.append((count, step))
    if len(joined) > MAX_RANK:
        site.refuse(f"has {len(joined)} dimensions, more than {MAX_RANK}")
    counts, steps = zip(*((1, 0),) * (MAX_RANK - len(joined)), *joined, strict=True)
    if prod(counts) != tensors[1].elements:
        site.refuse(f"{prod(counts)} elements do not make shape {list(tensors[1].shape)}")
    return Step(Opcode.STRIDED_COPY, (source,), target, StridedCopy(start, *counts, *steps))


def _parts(site: Site, number: int, axis: int) -> tuple[Step, ...]:
    axis %= max(1, len(site.input(number).shape))
    steps, start = [], 0
    for output in site.operator.outputs:
        length = site.tensor(output).shape[axis]
        steps.append(
            _take(site, number, _part(site, number, axis, range(start, start + length)), output)
        )
        start += length
    return tuple(steps)


def _part(site: Site, number: int, axis: int, indices: range) -> tuple[Taken, ...]:
    shape = site.input(number).shape
    if not shape or indices.stop > shape[axis]:
        site.refuse(f"{indices.stop} elements along axis {axis} of shape {list(shape)}")
    part = Taken(indices.start, 1, len(indices))
    return (
        *(Taken(0, 1, n) for n in shape[:axis]),
        part,
        *(Taken(0, 1, n) for n in shape[axis + 1 :]),
    )


def _take(site: Site, number: int, taken: Sequence[Taken], target: int) -> Step:
    strides = _strides(site.input(number).shape)
    start = sum(one.start * stride for one, stride in zip(taken, strides, strict=True))
    dimensions = [
        (one.count, one.step * stride) for one, stride in zip(taken, strides, strict=True)
    ]
    return strided_copy(site, site.operator.inputs[number], target, start, dimensions)


def _strides(shape: Sequence[int]) -> list[int]:
    """Elements from one index of each dimension to the next."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]
