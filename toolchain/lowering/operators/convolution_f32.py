"""CONV_2D and DEPTHWISE_CONV_2D, float32 with constant weights."""

from toolchain.lowering.float_stage import float_stage, float_weights
from toolchain.lowering.node import Step
from toolchain.lowering.packing import pack
from toolchain.lowering.product import Packed
from toolchain.lowering.site import Site
from toolchain.lowering.window import window
from toolchain.plan import parameters_f32 as parameters
from toolchain.plan.numbers import Opcode
from toolchain.plan.records import Record
from toolchain.tflite.options import Conv2D, DepthwiseConv2D


def lower_conv(site: Site) -> Step:
    """Lower CONV_2D, also in groups."""
    options = site.operator.options
    assert isinstance(options, Conv2D)
    weights = float_weights(site)
    outputs, height, width, depth = weights.shape
    groups = site.input(0).shape[3] // depth
    if outputs % groups:
        site.refuse(f"weights {list(weights.shape)} in {groups} groups are not supported")
    stage = float_stage(site, outputs, options.activation)
    geometry = window(site, (height, width), (options.dilation_h, options.dilation_w))
    packed = pack(site, Opcode.CONV_2D_F32, weights, 0, geometry)
    offset = site.constants.add(packed.weights)
    return _step(
        site, Opcode.CONV_2D_F32, parameters.Conv2D(stage, geometry, offset, depth), packed
    )


def lower_depthwise(site: Site) -> Step:
    """Lower DEPTHWISE_CONV_2D."""
    options = site.operator.options
    assert isinstance(options, DepthwiseConv2D)
    weights = float_weights(site)
    _, height, width, outputs = weights.shape
    stage = float_stage(site, outputs, options.activation)
    geometry = window(site, (height, width), (options.dilation_h, options.dilation_w))
    packed = pack(site, Opcode.DEPTHWISE_CONV_2D_F32, weights, 0, geometry)
    offset = site.constants.add(packed.weights)
    times = outputs // site.input(0).shape[3]
    record = parameters.DepthwiseConv2D(stage, geometry, offset, times)
    return _step(site, Opcode.DEPTHWISE_CONV_2D_F32, record, packed)


def _step(site: Site, opcode: Opcode, record: Record, packed: Packed) -> Step:
    return Step(
        opcode,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=record,
        layout=packed.layout,
        scratch_bytes=packed.scratch_bytes,
    )
