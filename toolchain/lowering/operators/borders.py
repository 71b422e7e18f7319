"""QUANTIZE and DEQUANTIZE: where float32 comes in and goes out."""

from toolchain.lowering.node import Step
from toolchain.lowering.operators.tables import lower_requantize
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Opcode
from toolchain.plan.parameters import NoParameters
from toolchain.tflite.dtype import DType


def lower_quantize(site: Site) -> Step:
    """Lower QUANTIZE from float32 or int8 to int8."""
    if site.input(0).dtype is DType.INT8:
        return lower_requantize(site)
    site.input(0, DType.FLOAT32)
    site.per_tensor(site.output(DType.INT8))
    return _step(site, Opcode.QUANTIZE_F32_S8)


def lower_dequantize(site: Site) -> Step:
    """Lower DEQUANTIZE from int8 to float32."""
    site.per_tensor(site.input(0, DType.INT8))
    site.output(DType.FLOAT32)
    return _step(site, Opcode.DEQUANTIZE_S8_F32)


def _step(site: Site, opcode: Opcode) -> Step:
    return Step(opcode, site.operator.inputs[:1], site.operator.outputs[0], NoParameters())
