"""MEAN and SUM, int16, over any dimensions."""

from toolchain.lowering.node import Step
from toolchain.lowering.operators.mean import fixed_point, middle
from toolchain.lowering.output_stage_s16 import symmetric_scale
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Opcode
from toolchain.plan.parameters import Mean
from toolchain.tflite.dtype import DType

MAX_COUNT = 1 << 16


def lower(site: Site) -> tuple[Step, ...]:
    """Lower MEAN (reference/reduce.h)."""
    return _lower(site, is_mean=True)


def lower_sum(site: Site) -> tuple[Step, ...]:
    """Lower SUM: MEAN that does not divide."""
    return _lower(site, is_mean=False)


def _lower(site: Site, *, is_mean: bool) -> tuple[Step, ...]:
    steps, index, view = middle(site, DType.INT16)
    for tensor in (site.input(0), site.output()):
        symmetric_scale(site, tensor)
    outer, count, inner = view
    if count > MAX_COUNT:
        site.refuse(f"{count} values for each output, more than the limit of {MAX_COUNT}")
    record = Mean(*fixed_point(site, count, is_mean=is_mean), outer, count, inner)
    return (*steps, Step(Opcode.MEAN_S16, (index,), site.operator.outputs[0], record))
