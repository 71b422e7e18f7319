"""AVERAGE_POOL_2D and MAX_POOL_2D, int16."""

from toolchain.lowering.activation_range import INT16, activation_range
from toolchain.lowering.node import Step
from toolchain.lowering.output_stage_s16 import symmetric_scale
from toolchain.lowering.site import Site
from toolchain.lowering.window import window
from toolchain.plan import parameters_s16 as parameters
from toolchain.plan.numbers import Opcode
from toolchain.tflite.options import Pool2D


def lower_average(site: Site) -> Step:
    """Lower AVERAGE_POOL_2D."""
    return _lower(site, Opcode.AVERAGE_POOL_2D_S16)


def lower_max(site: Site) -> Step:
    """Lower MAX_POOL_2D."""
    return _lower(site, Opcode.MAX_POOL_2D_S16)


def _lower(site: Site, opcode: Opcode) -> Step:
    options = site.operator.options
    assert isinstance(options, Pool2D)
    if symmetric_scale(site, site.input(0)) != symmetric_scale(site, site.output()):
        site.refuse("its input and output are quantized differently; pooling does not rescale")
    low, high = activation_range(site, options.activation, INT16)
    geometry = window(site, (options.filter_h, options.filter_w))
    return Step(
        opcode,
        inputs=site.operator.inputs,
        output=site.operator.outputs[0],
        parameters=parameters.Pool2D(geometry, low, high),
    )
