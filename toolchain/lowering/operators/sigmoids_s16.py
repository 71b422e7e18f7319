"""LOGISTIC and TANH, int16, with the table that TFLite has for both."""

import math

import numpy as np
from numpy.typing import NDArray

from toolchain.lowering.node import Step
from toolchain.lowering.output_stage_s16 import symmetric_scale
from toolchain.lowering.site import Site
from toolchain.plan import parameters_s16 as parameters
from toolchain.plan.numbers import Function, Opcode

ENTRIES_PER_UNIT = 24
MAX_MULTIPLIER = 32_767
_UNIT = 12_288
"""Steps of 1: of 24 entries, 512 each."""
_POWER_TOLERANCE = 1e-3


def lower_logistic(site: Site) -> Step:
    """Lower LOGISTIC (integer_ops/logistic.h)."""
    return _lower(site, Function.LOGISTIC, powers=(-12,))


def lower_tanh(site: Site) -> Step:
    """Lower TANH (integer_ops/tanh.h), which reads the table at twice its input."""
    return _lower(site, Function.TANH, powers=(-12, -11))


def _lower(site: Site, function: Function, powers: tuple[int, ...]) -> Step:
    if symmetric_scale(site, site.output()) != 1 / 32_768:
        site.refuse("its output must have scale 1/32768")
    multiplier, shift = _to_table(site, symmetric_scale(site, site.input(0)), powers)
    return Step(
        Opcode.SIGMOID_S16,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.Sigmoid(site.constants.add(table()), multiplier, shift, function),
        in_place=site.operator.inputs[:1],
    )


def _to_table(site: Site, scale: float, powers: tuple[int, ...]) -> tuple[int, int]:
    """Multiplier and shift from input steps to the table's, cut off where TFLite cuts.

    A scale that is nearly one of the `powers` of two is taken for it.
    """
    power = math.log2(scale)
    if round(power) in powers and abs(power - round(power)) < _POWER_TOLERANCE:
        scale = 2.0 ** round(power)
    multiplier, shift = scale * _UNIT, 0
    while multiplier <= MAX_MULTIPLIER / 2 and shift <= 30:
        multiplier, shift = multiplier * 2, shift + 1
    if multiplier > MAX_MULTIPLIER:
        site.refuse(f"input scale {scale:g}; up to {MAX_MULTIPLIER / _UNIT:.3f} is supported")
    return int(multiplier), shift


def table() -> NDArray[np.uint16]:
    """1 / (1 + e^(−i / 24)) in Q0.16, each moved to halve its line's error in the middle.

    The last one is the largest number there is.
    """

    def value(entry: float) -> float:
        return 65_536 / (1 + math.exp(-entry / ENTRIES_PER_UNIT))

    def moved(entry: int) -> int:
        line = (value(entry) + value(entry + 1)) / 2
        return math.floor(value(entry) + (value(entry + 0.5) - line) / 2 + 0.5)

    return np.array([*map(moved, range(255)), 65_535], "<u2")
