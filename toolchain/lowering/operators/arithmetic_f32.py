"""ADD, SUB and MUL, float32."""

from toolchain.lowering.activation_range import float_range
from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan import parameters_f32 as parameters
from toolchain.plan.numbers import Opcode
from toolchain.plan.records import Record
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import Add, Mul, Sub


def lower_add(site: Site) -> Step:
    """Lower ADD."""
    return _step(site, Opcode.ADD_F32, parameters.Add(*_range(site), subtract=0))


def lower_sub(site: Site) -> Step:
    """Lower SUB: ADD with the other sign."""
    return _step(site, Opcode.ADD_F32, parameters.Add(*_range(site), subtract=1))


def lower_mul(site: Site) -> Step:
    """Lower MUL."""
    return _step(site, Opcode.MUL_F32, parameters.Mul(*_range(site)))


def _range(site: Site) -> tuple[float, float]:
    options = site.operator.options
    assert isinstance(options, Add | Sub | Mul)
    return float_range(site, options.activation)


def _step(site: Site, opcode: Opcode, record: Record) -> Step:
    tensors = (site.input(0, DType.FLOAT32), site.input(1, DType.FLOAT32))
    shape = site.output(DType.FLOAT32).shape
    inputs = site.operator.inputs
    return Step(
        opcode,
        inputs=inputs,
        output=site.operator.outputs[0],
        parameters=record,
        in_place=tuple(
            index for index, tensor in zip(inputs, tensors, strict=True) if tensor.shape == shape
        ),
    )
