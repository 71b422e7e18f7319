"""MEAN."""

from math import prod

from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode
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
    multiplier, shift = quantize_multiplier(site.per_tensor(source)[0] / site.per_tensor(target)[0])
    headroom = min(count.bit_length() - 1, 32, 31 + shift)
    return Step(
        Opcode.MEAN_S8,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.Mean(
            (multiplier << headroom) // count, shift - headroom, outer, count, inner
        ),
    )
