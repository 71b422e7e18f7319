"""MEAN and SUM over any dimensions."""

from math import prod

import numpy as np

from toolchain.lowering.float32 import bits, ratio
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.operators.moving import strided_copy
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode, Rounding
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Tensor

MAX_COUNT = 1 << 23


def lower(site: Site) -> tuple[Step, ...]:
    """Lower MEAN, int8 (reference/reduce.h)."""
    return _lower(site, is_mean=True)


def lower_sum(site: Site) -> tuple[Step, ...]:
    """Lower SUM, int8: MEAN that does not divide."""
    return _lower(site, is_mean=False)


def _lower(site: Site, *, is_mean: bool) -> tuple[Step, ...]:
    steps, index, view = middle(site, DType.INT8)
    outer, count, inner = view
    if count > MAX_COUNT:
        site.refuse(f"{count} values for each output, more than the limit of {MAX_COUNT}")
    arithmetic = _float32 if site.settings.rounding is Rounding.SINGLE else fixed_point
    multiplier, shift = arithmetic(site, count, is_mean=is_mean)
    record = parameters.Mean(multiplier, shift, outer, count, inner)
    return (*steps, Step(Opcode.MEAN_S8, (index,), site.operator.outputs[0], record))


def middle(site: Site, dtype: DType) -> tuple[tuple[Step, ...], int, tuple[int, int, int]]:
    """The input as [outer, count, inner], where `count` is what each output is made of.

    Returns:
        Steps that move dimensions where they are no neighbours, the tensor to read, its view.
    """
    source, target = site.input(0, dtype), site.output(dtype)
    shape = source.shape
    axes = {axis % max(len(shape), 1) for axis in site.integers(1)}
    long = sorted(axis for axis in axes if axis < len(shape) and shape[axis] > 1)
    kept = [axis for axis in range(len(shape)) if axis not in long]
    count = prod(shape[axis] for axis in long)
    if prod(shape) != target.elements * count:
        site.refuse(f"shape {list(shape)} to {list(target.shape)} is not supported")
    first, last = (long[0], long[-1] + 1) if long else (0, 0)
    if prod(shape[first:last]) == count:
        return (), site.operator.inputs[0], (prod(shape[:first]), count, prod(shape[last:]))
    index = site.temporary(Tensor("", (target.elements, count), dtype, source.quantization))
    dimensions = [(shape[axis], prod(shape[axis + 1 :])) for axis in (*kept, *long)]
    moved = strided_copy(site, site.operator.inputs[0], index, 0, dimensions)
    return (moved,), index, (target.elements, count, 1)


def fixed_point(site: Site, count: int, *, is_mean: bool) -> tuple[int, int]:
    """Divide the multiplier by the count as TFLite does (reference/reduce.h).

    Returns:
        Multiplier and shift, from a sum of input steps to output steps.
    """
    scales = site.per_tensor(site.input(0))[0], site.per_tensor(site.output())[0]
    multiplier, shift = quantize_multiplier(scales[0] / scales[1])
    if not is_mean:
        return multiplier, shift
    headroom = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << headroom) // count, shift - headroom


def _float32(site: Site, count: int, *, is_mean: bool) -> tuple[int, int]:
    """XNNPACK's mean: Σx · factor + offset, where the offset holds both zero points; as bits."""
    (scale_in, zero_in), (scale_out, zero_out) = map(
        site.per_tensor, (site.input(0), site.output())
    )
    divisor = np.float32(count if is_mean else 1)
    factor = np.float32(ratio(scale_in, scale_out)) * (np.float32(1) / divisor)
    if not np.isfinite(factor):
        site.refuse("its scales make a factor beyond float32; quantize the model again")
    factor = factor if factor >= np.finfo(np.float32).tiny else np.float32(0)
    offset = np.float32(zero_out) - np.float32(count * zero_in) * factor
    return bits(float(factor)), bits(float(offset))
