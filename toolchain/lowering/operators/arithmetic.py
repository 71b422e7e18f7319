"""ADD, SUB and MUL."""

import math
from dataclasses import replace

from toolchain.lowering.activation_range import activation_range
from toolchain.lowering.float32 import bits, product_factors, ratio
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.packing import pack_sum
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode, Rounding
from toolchain.plan.records import Record
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import Add, Mul, Sub

_LEFT_SHIFT = 20
_MAX_SHIFT = 30


def lower_add(site: Site) -> Step:
    """Lower ADD, int8 (integer_ops/add.h)."""
    return _lower_sum(site, subtract=0)


def lower_sub(site: Site) -> Step:
    """Lower SUB, int8: ADD with the other sign."""
    return _lower_sum(site, subtract=1)


def lower_mul(site: Site) -> Step:
    """Lower MUL, int8 (integer_ops/mul.h)."""
    options = site.operator.options
    assert isinstance(options, Mul)
    left, right, output = _scales(site)
    if site.settings.rounding is Rounding.SINGLE:
        factor = float(product_factors(left, (right,), output)[0])
        if not math.isfinite(factor):
            site.refuse("its scales make a factor beyond float32; quantize the model again")
        multiplier, shift = bits(factor), 0
    else:
        multiplier, shift = quantize_multiplier(left * right / output)
    low, high = activation_range(site, options.activation)
    return step(site, Opcode.MUL_S8, parameters.Mul(multiplier, shift, low, high))


def _lower_sum(site: Site, subtract: int) -> Step:
    record = _sum(site, subtract)
    made = step(site, Opcode.ADD_S8, record)
    layout, scratch_bytes = pack_sum(site, record)
    return replace(made, layout=layout, scratch_bytes=scratch_bytes)


def _sum(site: Site, subtract: int) -> parameters.Add:
    options = site.operator.options
    assert isinstance(options, Add | Sub)
    left, right, output = _scales(site)
    low, high = activation_range(site, options.activation)
    if site.settings.rounding is Rounding.SINGLE:
        left_multiplier, right_multiplier, shift = _common_power(site, left, right, output)
        return parameters.Add(
            left_multiplier=left_multiplier,
            right_multiplier=right_multiplier,
            output_multiplier=0,
            left_shift=0,
            right_shift=0,
            output_shift=shift,
            subtract=subtract,
            low=low,
            high=high,
        )
    twice = 2 * max(left, right)
    (left_multiplier, left_shift), (right_multiplier, right_shift), (multiplier, shift) = map(
        quantize_multiplier, (left / twice, right / twice, twice / (2**_LEFT_SHIFT * output))
    )
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


def _common_power(site: Site, left: float, right: float, output: float) -> tuple[int, int, int]:
    """XNNPACK's multipliers over 2^shift: the larger one has 21 bits (its init of qs8-vadd)."""
    ratios = ratio(left, output), ratio(right, output)
    shift = _LEFT_SHIFT + 1 - math.frexp(max(ratios))[1]
    if not 1 <= shift <= _MAX_SHIFT:
        site.refuse("its scales are too far apart for single rounding; use double")
    left_multiplier, right_multiplier = (round(math.ldexp(one, shift)) for one in ratios)
    return left_multiplier, right_multiplier, shift


def _scales(site: Site) -> tuple[float, float, float]:
    tensors = (site.input(0, DType.INT8), site.input(1, DType.INT8), site.output(DType.INT8))
    left, right, output = (site.per_tensor(tensor)[0] for tensor in tensors)
    return left, right, output


def step(site: Site, opcode: Opcode, record: Record) -> Step:
    """Make the step of an operator on two tensors, in place of one that has the output's shape."""
    shape, inputs = site.output().shape, site.operator.inputs
    return Step(
        opcode,
        inputs=inputs,
        output=site.operator.outputs[0],
        parameters=record,
        in_place=tuple(i for i in inputs if site.graph.tensors[i].shape == shape),
    )
