"""AVERAGE_POOL_2D and MAX_POOL_2D, float32."""

from toolchain.lowering.activation_range import float_range
from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.lowering.window import window
from toolchain.plan import parameters_f32 as parameters
from toolchain.plan.numbers import Opcode
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import Pool2D


def lower_average(site: Site) -> Step:
    """Lower AVERAGE_POOL_2D."""
    return _lower(site, Opcode.AVERAGE_POOL_2D_F32)


def lower_max(site: Site) -> Step:
    """Lower MAX_POOL_2D."""
    return _lower(site, Opcode.MAX_POOL_2D_F32)


def _lower(site: Site, opcode: Opcode) -> Step:
    options = site.operator.options
    assert isinstance(options, Pool2D)
    site.input(0, DType.FLOAT32)
    site.output(DType.FLOAT32)
    geometry = window(site, (options.filter_h, options.filter_w))
    return Step(
        opcode,
        inputs=site.operator.inputs,
        output=site.operator.outputs[0],
        parameters=parameters.Pool2D(geometry, *float_range(site, options.activation)),
    )
