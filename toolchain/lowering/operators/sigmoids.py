"""LOGISTIC and TANH, as tables."""

import math
from collections.abc import Callable

import numpy as np

from toolchain.lowering.fixed_point import (
    INT32_MAX,
    exp_on_negative,
    mbqm,
    one_minus_over_one_plus,
    rdbpot,
    reciprocal,
    saturate,
)
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.operators.tables import table_step
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Rounding

_INTEGER_BITS = 4


def lower_logistic(site: Site) -> Step:
    """Lower LOGISTIC (integer_ops/logistic.h)."""
    if site.per_tensor(site.output()) != (1 / 256, -128):
        site.refuse("its output must have scale 1/256 and zero point -128")
    if site.settings.rounding is Rounding.SINGLE:
        return table_step(site, _float32_logistic(site))

    def logistic(value: int) -> int:
        positive = reciprocal(exp_on_negative(-abs(value), _INTEGER_BITS))
        share = positive if value > 0 else INT32_MAX - positive if value < 0 else 2**30
        return rdbpot(share, 23) - 128

    return table_step(site, _of_fixed_point(site, logistic))


def lower_tanh(site: Site) -> Step:
    """Lower TANH (integer_ops/tanh.h): (1 − e^−2|x|) / (1 + e^−2|x|) with the sign of x."""
    if site.per_tensor(site.output()) != (1 / 128, 0):
        site.refuse("its output must have scale 1/128 and zero point 0")
    if site.settings.rounding is Rounding.SINGLE:
        return table_step(site, _float32_tanh(site))

    def tanh(value: int) -> int:
        # The same bits with one integer bit more are twice the value.
        size = one_minus_over_one_plus(exp_on_negative(-abs(value), _INTEGER_BITS + 1))
        return rdbpot(size if value > 0 else -size if value < 0 else 0, 24)

    return table_step(site, _of_fixed_point(site, tanh))


def _of_fixed_point(site: Site, function: Callable[[int], int]) -> Callable[[int], int]:
    """A function of the input in Q4.27; beyond what that holds it is at its ends."""
    scale, zero_point = site.per_tensor(site.input(0))
    fraction_bits = 31 - _INTEGER_BITS
    multiplier, shift = quantize_multiplier(scale * 2**fraction_bits)
    radius = math.floor((2**_INTEGER_BITS - 1) * 2.0**fraction_bits / 2.0**shift)

    def clipped(x: int) -> int:
        steps = x - zero_point
        if abs(steps) >= radius:
            return -128 if steps < 0 else 127
        return saturate(function(mbqm(steps, multiplier, shift)), 8)

    return clipped


def _float32_logistic(site: Site) -> Callable[[int], int]:
    """XNNPACK's table, rounded to even; found nearest to it: 1/2 + tanh(x / 2) / 2 in float32."""
    scale, zero_point = site.per_tensor(site.input(0))

    def logistic(x: int) -> int:
        value = np.float32(scale) * np.float32(x - zero_point)
        share = np.float32(0.5) + np.float32(0.5) * np.float32(math.tanh(float(value) / 2))
        return min(127, int(np.rint(share * np.float32(256))) - 128)

    return logistic


def _float32_tanh(site: Site) -> Callable[[int], int]:
    """XNNPACK's table: tanh in float32, rounded to even."""
    scale, zero_point = site.per_tensor(site.input(0))

    def tanh(x: int) -> int:
        value = np.float32(scale) * np.float32(x - zero_point)
        share = np.float32(math.tanh(float(value)))
        return min(127, int(np.rint(share * np.float32(128))))

    return tanh
