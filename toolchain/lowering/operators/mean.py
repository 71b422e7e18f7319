"""MEAN."""

from math import prod

import numpy as np

from toolchain.lowering.float32 import bits, ratio
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode, Rounding
from toolchain.tflite.dtype import DType

MAX_COUNT = 1 << 23


def lower(site: Site) -> Step:
    """Lower MEAN, int8, over dimensions that are neighbours (reference/reduce.h)."""
    source, target = site.input(0, DType.INT8), site.output(DType.INT8)
    shape, rank = source.shape, len(source.shape)
    axes = {int(axis) % max(rank, 1) for axis in site.constant(1, DType.INT32).reshape(-1)}
    long = sorted(axis for axis in axes if axis < rank and shape[axis] > 1)
    first, last = (long[0], long[-1] + 1) if long else (0, 0)
    if any(shape[axis] > 1 and axis not in axes for axis in range(first, last)):
        site.refuse(f"axes {sorted(axes)} of shape {list(shape)} are not neighbours")
    outer, count, inner = prod(shape[:first]), prod(shape[first:last]), prod(shape[last:])
    if outer * inner != target.elements or count > MAX_COUNT:
        site.refuse(f"shape {list(shape)} to {list(target.shape)} is not supported")
    if site.settings.rounding is Rounding.SINGLE:
        multiplier, shift = _factor_and_offset(site, count)
    else:
        multiplier, shift = _multiplier_and_shift(site, count)
    return Step(
        Opcode.MEAN_S8,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.Mean(multiplier, shift, outer, count, inner),
    )


def _multiplier_and_shift(site: Site, count: int) -> tuple[int, int]:
    """TFLite's division of the multiplier by the count (reference/reduce.h)."""
    scales = site.per_tensor(site.input(0))[0], site.per_tensor(site.output())[0]
    multiplier, shift = quantize_multiplier(scales[0] / scales[1])
    headroom = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << headroom) // count, shift - headroom


def _factor_and_offset(site: Site, count: int) -> tuple[int, int]:
    """XNNPACK's mean: Σx · factor + offset, where the offset holds both zero points; as bits."""
    (scale_in, zero_in), (scale_out, zero_out) = map(
        site.per_tensor, (site.input(0), site.output())
    )
    factor = np.float32(ratio(scale_in, scale_out)) * (np.float32(1) / np.float32(count))
    if not np.isfinite(factor):
        site.refuse("its scales make a factor beyond float32; quantize the model again")
    factor = factor if factor >= np.finfo(np.float32).tiny else np.float32(0)
    offset = np.float32(zero_out) - np.float32(count * zero_in) * factor
    return bits(float(factor)), bits(float(offset))
