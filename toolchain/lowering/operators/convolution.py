"""CONV_2D and DEPTHWISE_CONV_2D."""

from toolchain.lowering.node import Step
from toolchain.lowering.output_stage import MAX_TERMS, place_stage, stage_numbers
from toolchain.lowering.packing import pack
from toolchain.lowering.site import Site
from toolchain.lowering.window import window
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import Conv2D, DepthwiseConv2D


def lower_conv(site: Site) -> Step:
    """Lower CONV_2D, int8 with constant weights, also in groups."""
    options = site.operator.options
    assert isinstance(options, Conv2D)
    site.input(0, DType.INT8)
    site.output(DType.INT8)
    weights = site.constant(1, DType.INT8)
    outputs, height, width, depth = weights.shape
    groups = site.input(0).shape[3] // depth
    if height * width * depth > MAX_TERMS or outputs % groups:
        site.refuse(f"weights {list(weights.shape)} in {groups} groups are not supported")
    numbers = stage_numbers(site, weights, 0, options.activation)
    geometry = window(site, (height, width), (options.dilation_h, options.dilation_w))
    packed = pack(site, Opcode.CONV_2D_S8, weights, numbers.weight_zero_point, geometry, numbers)
    return Step(
        Opcode.CONV_2D_S8,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.Conv2D(
            place_stage(site, numbers, packed.stage),
            geometry,
            site.constants.add(packed.weights),
            depth,
        ),
        layout=packed.layout,
        scratch_bytes=packed.scratch_bytes,
    )


def lower_depthwise(site: Site) -> Step:
    """Lower DEPTHWISE_CONV_2D, int8 with constant weights."""
    options = site.operator.options
    assert isinstance(options, DepthwiseConv2D)
    site.input(0, DType.INT8)
    site.output(DType.INT8)
    weights = site.constant(1, DType.INT8)
    _, height, width, outputs = weights.shape
    if height * width > MAX_TERMS:
        site.refuse(f"weights {list(weights.shape)} are not supported: too many taps")
    numbers = stage_numbers(site, weights, 3, options.activation)
    geometry = window(site, (height, width), (options.dilation_h, options.dilation_w))
    packed = pack(
        site, Opcode.DEPTHWISE_CONV_2D_S8, weights, numbers.weight_zero_point, geometry, numbers
    )
    return Step(
        Opcode.DEPTHWISE_CONV_2D_S8,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.DepthwiseConv2D(
            place_stage(site, numbers, packed.stage),
            geometry,
            site.constants.add(packed.weights),
            outputs // site.input(0).shape[3],
        ),
        layout=packed.layout,
        scratch_bytes=packed.scratch_bytes,
    )
