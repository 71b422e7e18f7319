"""CONV_2D and DEPTHWISE_CONV_2D, int16 with constant int8 weights."""

from toolchain.lowering.node import Step
from toolchain.lowering.output_stage import MAX_TERMS
from toolchain.lowering.output_stage_s16 import output_stage
from toolchain.lowering.packing import pack
from toolchain.lowering.product import Packed
from toolchain.lowering.site import Site
from toolchain.lowering.window import window
from toolchain.plan import parameters_s16 as parameters
from toolchain.plan.numbers import Opcode
from toolchain.plan.records import Record
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import Conv2D, DepthwiseConv2D

MAX_AREA = 511
"""Most products of int16 and int8 whose sum fits in int32."""


def lower_conv(site: Site) -> Step:
    """Lower CONV_2D, also in groups."""
    options = site.operator.options
    assert isinstance(options, Conv2D)
    weights = site.constant(1, DType.INT8)
    outputs, height, width, depth = weights.shape
    groups = site.input(0).shape[3] // depth
    if height * width * depth > MAX_TERMS or outputs % groups:
        site.refuse(f"weights {list(weights.shape)} in {groups} groups are not supported")
    stage = output_stage(site, outputs, 0, options.activation)
    geometry = window(site, (height, width), (options.dilation_h, options.dilation_w))
    packed = pack(site, Opcode.CONV_2D_S16, weights, 0, geometry)
    offset = site.constants.add(packed.weights)
    return _step(
        site, Opcode.CONV_2D_S16, parameters.Conv2D(stage, geometry, offset, depth), packed
    )


def lower_depthwise(site: Site) -> Step:
    """Lower DEPTHWISE_CONV_2D."""
    options = site.operator.options
    assert isinstance(options, DepthwiseConv2D)
    weights = site.constant(1, DType.INT8)
    _, height, width, outputs = weights.shape
    if height * width > MAX_AREA:
        site.refuse(f"weights {list(weights.shape)} are not supported: too many taps")
    stage = output_stage(site, outputs, 3, options.activation)
    geometry = window(site, (height, width), (options.dilation_h, options.dilation_w))
    packed = pack(site, Opcode.DEPTHWISE_CONV_2D_S16, weights, 0, geometry)
    offset = site.constants.add(packed.weights)
    times = outputs // site.input(0).shape[3]
    record = parameters.DepthwiseConv2D(stage, geometry, offset, times)
    return _step(site, Opcode.DEPTHWISE_CONV_2D_S16, record, packed)


def _step(site: Site, opcode: Opcode, record: Record, packed: Packed) -> Step:
    return Step(
        opcode,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=record,
        layout=packed.layout,
        scratch_bytes=packed.scratch_bytes,
    )
