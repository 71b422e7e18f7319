"""QUANTIZE and DEQUANTIZE of int16."""

from toolchain.lowering.node import Step
from toolchain.lowering.output_stage_s16 import symmetric_scale
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Opcode
from toolchain.plan.parameters import NoParameters
from toolchain.tflite.dtype import DType


def lower_quantize(site: Site) -> Step:
    """Lower QUANTIZE from float32 to int16."""
    site.input(0, DType.FLOAT32)
    symmetric_scale(site, site.output(DType.INT16))
    return _step(site, Opcode.QUANTIZE_F32_S16)


def lower_dequantize(site: Site) -> Step:
    """Lower DEQUANTIZE from int16 to float32."""
    symmetric_scale(site, site.input(0, DType.INT16))
    site.output(DType.FLOAT32)
    return _step(site, Opcode.DEQUANTIZE_S16_F32)


def _step(site: Site, opcode: Opcode) -> Step:
    return Step(opcode, site.operator.inputs[:1], site.operator.outputs[0], NoParameters())
