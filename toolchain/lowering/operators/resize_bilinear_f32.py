"""RESIZE_BILINEAR, float32."""

from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.lowering.window import MAX_LENGTH
from toolchain.plan.numbers import Opcode
from toolchain.plan.parameters_f32 import ResizeBilinear as Parameters
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import ResizeBilinear


def lower(site: Site) -> Step:
    """Lower with a constant size."""
    options = site.operator.options
    assert isinstance(options, ResizeBilinear)
    source, target = site.input(0, DType.FLOAT32), site.output(DType.FLOAT32)
    size = tuple(site.constant(1, DType.INT32).reshape(-1).tolist())
    if len(source.shape) != 4 or len(size) != 2 or min(size) < 1:
        site.refuse(f"shape {list(source.shape)} to size {list(size)} is not supported")
    batch, height, width, channels = source.shape
    if target.shape != (batch, *size, channels) or max(*size, height, width) > MAX_LENGTH:
        site.refuse(f"shape {list(source.shape)} to {list(target.shape)} is not supported")
    if options.align_corners and options.half_pixel_centers:
        site.refuse("align_corners and half_pixel_centers exclude each other")
    return Step(
        Opcode.RESIZE_BILINEAR_F32,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=Parameters(int(options.align_corners), int(options.half_pixel_centers)),
    )
