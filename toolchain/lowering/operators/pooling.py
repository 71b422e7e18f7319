"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from toolchain.lowering.activation_range import activation_range
from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.lowering.window import window
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import Pool2D


def lower_average(site: Site) -> Step:
    """Lower AVERAGE_POOL_2D, int8."""
    return _lower(site, Opcode.AVERAGE_POOL_2D_S8)


def lower_max(site: Site) -> Step:
    """Lower MAX_POOL_2D, int8."""
    return _lower(site, Opcode.MAX_POOL_2D_S8)


def _lower(site: Site, opcode: Opcode) -> Step:
    options = site.operator.options
    assert isinstance(options, Pool2D)
    source, target = site.input(0, DType.INT8), site.output(DType.INT8)
    if site.per_tensor(source) != site.per_tensor(target):
        site.refuse("its input and output are quantized differently; pooling does not rescale")
    low, high = activation_range(site, options.activation)
    return Step(
        opcode,
        inputs=site.operator.inputs,
        output=site.operator.outputs[0],
        parameters=parameters.Pool2D(
            window(site, (options.filter_h, options.filter_w)),
            low,
            high,
            halves_up=int(site.operator.inputs[0] in site.were_uint8),
        ),
    )
