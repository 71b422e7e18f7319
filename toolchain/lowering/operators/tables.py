"""Functions of one int8, as tables of what TFLite's own kernels give for each of the 256 bytes."""

import math
from collections.abc import Callable

import numpy as np

from toolchain.lowering.activation_range import activation_range
from toolchain.lowering.fixed_point import INT32_MAX, exp_on_negative, mbqm, rdbpot, reciprocal
from toolchain.lowering.float32 import exponentials, ratio
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode, Rounding
from toolchain.tflite.dtype import DType
from toolchain.tflite.slots import Activation

_LOGISTIC_INTEGER_BITS = 4


def lower_relu(site: Site) -> Step:
    """Lower RELU, which rescales."""
    low, high = activation_range(site, Activation.RELU)
    return _step(site, _rescale(site, low, high))


def lower_relu6(site: Site) -> Step:
    """Lower RELU6, which does not rescale."""
    if site.per_tensor(site.input(0)) != site.per_tensor(site.output()):
        site.refuse("its input and output are quantized differently; RELU6 does not rescale")
    low, high = activation_range(site, Activation.RELU6)
    return _step(site, lambda x: max(low, min(high, x)))


def lower_requantize(site: Site) -> Step:
    """Lower QUANTIZE of int8 to another scale."""
    scale_in, scale_out = site.per_tensor(site.input(0))[0], site.per_tensor(site.output())[0]
    factor = ratio(scale_in, scale_out)
    if site.settings.rounding is Rounding.SINGLE and 2**-8 <= factor <= 2**7:
        return _step(site, _rescale_by_256ths(site, factor))
    return _step(site, _rescale(site, -128, 127))


def lower_logistic(site: Site) -> Step:
    """Lower LOGISTIC."""
    if site.per_tensor(site.output()) != (1 / 256, -128):
        site.refuse("its output must have scale 1/256 and zero point -128")
    if site.settings.rounding is Rounding.SINGLE:
        return _step(site, _float32_logistic(site))
    return _step(site, _fixed_logistic(site))


def _fixed_logistic(site: Site) -> Callable[[int], int]:
    """TFLite's integer_ops/logistic.h."""
    scale, zero_point = site.per_tensor(site.input(0))
    fraction_bits = 31 - _LOGISTIC_INTEGER_BITS
    multiplier, shift = quantize_multiplier(scale * 2**fraction_bits)
    radius = math.floor((2**_LOGISTIC_INTEGER_BITS - 1) * 2.0**fraction_bits / 2.0**shift)

    def logistic(x: int) -> int:
        steps = x - zero_point
        if abs(steps) >= radius:
            return -128 if steps < 0 else 127
        value = mbqm(steps, multiplier, shift)
        positive = reciprocal(exp_on_negative(-abs(value), _LOGISTIC_INTEGER_BITS))
        share = positive if value > 0 else INT32_MAX - positive if value < 0 else 2**30
        return min(127, rdbpot(share, 23) - 128)

    return logistic


def _float32_logistic(site: Site) -> Callable[[int], int]:
    """XNNPACK's table: 1 / (1 + exp(−x)) in float32, rounded to even."""
    scale, zero_point = site.per_tensor(site.input(0))

    def logistic(x: int) -> int:
        value = np.float32(scale) * np.float32(x - zero_point)
        with np.errstate(over="ignore"):
            share = np.float32(1) / (np.float32(1) + exponentials(np.array([-value])))
        return min(127, int(np.rint(share * np.float32(256))[0]) - 128)

    return logistic


def _rescale_by_256ths(site: Site, factor: float) -> Callable[[int], int]:
    """XNNPACK's conversion between int8 scales: a multiplier of whole 256ths, halves up."""
    (_, zero_in), (_, zero_out) = map(site.per_tensor, (site.input(0), site.output()))
    multiplier = round(factor * 256)
    return lambda x: max(-128, min(127, ((x - zero_in) * multiplier + 128 >> 8) + zero_out))


def _rescale(site: Site, low: int, high: int) -> Callable[[int], int]:
    (scale_in, zero_in), (scale_out, zero_out) = map(
        site.per_tensor, (site.input(0), site.output())
    )
    multiplier, shift = quantize_multiplier(scale_in / scale_out)
    return lambda x: max(low, min(high, mbqm(x - zero_in, multiplier, shift) + zero_out))


def _step(site: Site, function: Callable[[int], int]) -> Step:
    site.input(0, DType.INT8)
    site.output(DType.INT8)
    values = [function(x - 256 if x > 127 else x) for x in range(256)]
    return Step(
        Opcode.TABLE_S8,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.Table(site.constants.add_int8(values)),
        in_place=site.operator.inputs[:1],
    )
