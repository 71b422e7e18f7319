"""MEAN and SUM, float32, over any dimensions."""

from toolchain.lowering.node import Step
from toolchain.lowering.operators.mean import middle
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Opcode
from toolchain.plan.parameters_f32 import Mean
from toolchain.tflite.dtype import DType


def lower(site: Site) -> tuple[Step, ...]:
    """Lower MEAN."""
    return _lower(site, divides=1)


def lower_sum(site: Site) -> tuple[Step, ...]:
    """Lower SUM: MEAN that does not divide."""
    return _lower(site, divides=0)


def _lower(site: Site, divides: int) -> tuple[Step, ...]:
    steps, index, view = middle(site, DType.FLOAT32)
    record = Mean(*view, divides)
    return (*steps, Step(Opcode.MEAN_F32, (index,), site.operator.outputs[0], record))
