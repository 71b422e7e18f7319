"""ADD, SUB and MUL."""

from toolchain.lowering.activation_range import activation_range
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode
from toolchain.plan.records import Record
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import Add, Mul, Sub

_LEFT_SHIFT = 20


def lower_add(site: Site) -> Step:
    """Lower ADD, int8 (integer_ops/add.h)."""
    return _step(site, Opcode.ADD_S8, _sum(site, subtract=0))


def lower_sub(site: Site) -> Step:
    """Lower SUB, int8: ADD with the other sign."""
    return _step(site, Opcode.ADD_S8, _sum(site, subtract=1))


def lower_mul(site: Site) -> Step:
    """Lower MUL, int8 (integer_ops/mul.h)."""
    options = site.operator.options
    assert isinstance(options, Mul)
    left, right, output = _scales(site)
    multiplier, shift = quantize_multiplier(left * right / output)
    low, high = activation_range(site, options.activation)
    return _step(site, Opcode.MUL_S8, parameters.Mul(multiplier, shift, low, high))


def _sum(site: Site, subtract: int) -> parameters.Add:
    options = site.operator.options
    assert isinstance(options, Add | Sub)
    left, right, output = _scales(site)
    twice = 2 * max(left, right)
    (left_multiplier, left_shift), (right_multiplier, right_shift), (multiplier, shift) = map(
        quantize_multiplier, (left / twice, right / twice, twice / (2**_LEFT_SHIFT * output))
    )
    low, high = activation_range(site, options.activation)
    return parameters.Add(
        left_multiplier=left_multiplier,
        right_multiplier=right_multiplier,
        output_multiplier=multiplier,
        left_shift=left_shift,
        right_shift=right_shift,
        output_shift=shift,
        subtract=subtract,
        low=low,
        high=high,
    )


def _scales(site: Site) -> tuple[float, float, float]:
    tensors = (site.input(0, DType.INT8), site.input(1, DType.INT8), site.output(DType.INT8))
    left, right, output = (site.per_tensor(tensor)[0] for tensor in tensors)
    return left, right, output


def _step(site: Site, opcode: Opcode, record: Record) -> Step:
    shape, inputs = site.output().shape, site.operator.inputs
    return Step(
        opcode,
        inputs=inputs,
        output=site.operator.outputs[0],
        parameters=record,
        in_place=tuple(i for i in inputs if site.graph.tensors[i].shape == shape),
    )
