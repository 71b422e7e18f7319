"""ADD, SUB and MUL, int16."""

from toolchain.lowering.activation_range import INT16, activation_range
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.operators.arithmetic import step
from toolchain.lowering.output_stage_s16 import symmetric_scale
from toolchain.lowering.site import Site
from toolchain.plan import parameters_s16 as parameters
from toolchain.plan.numbers import Opcode
from toolchain.tflite.options import Add, Mul, Sub

_LEFT_SHIFT = 15


def lower_add(site: Site) -> Step:
    """Lower ADD (TFLite's reference/add.h)."""
    return step(site, Opcode.ADD_S16, _sum(site, subtract=0))


def lower_sub(site: Site) -> Step:
    """Lower SUB: ADD with the other sign."""
    return step(site, Opcode.ADD_S16, _sum(site, subtract=1))


def lower_mul(site: Site) -> Step:
    """Lower MUL (integer_ops/mul.h)."""
    options = site.operator.options
    assert isinstance(options, Mul)
    left, right, output = _scales(site)
    multiplier, shift = quantize_multiplier(left * right / output)
    low, high = activation_range(site, options.activation, INT16)
    return step(site, Opcode.MUL_S16, parameters.Mul(multiplier, low, high, shift))


def _sum(site: Site, subtract: int) -> parameters.Add:
    options = site.operator.options
    assert isinstance(options, Add | Sub)
    left, right, output = _scales(site)
    twice = 2 * max(left, right)
    (left_multiplier, left_shift), (right_multiplier, right_shift), (multiplier, shift) = map(
        quantize_multiplier, (left / twice, right / twice, twice / (2**_LEFT_SHIFT * output))
    )
    low, high = activation_range(site, options.activation, INT16)
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
    tensors = (site.input(0), site.input(1), site.output())
    left, right, output = (symmetric_scale(site, tensor) for tensor in tensors)
    return left, right, output
