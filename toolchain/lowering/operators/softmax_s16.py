"""SOFTMAX, int16, with TFLite's two tables."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.operators.softmax import check_beta
from toolchain.lowering.output_stage_s16 import symmetric_scale
from toolchain.lowering.site import Site
from toolchain.plan import parameters_s16 as parameters
from toolchain.plan.numbers import Opcode
from toolchain.tflite.options import Softmax

MAX_CLASSES = 65_535
_REACH = 10.0
"""How far below the largest input an exponential is told from 0."""
_STEPS = 512


def lower(site: Site) -> Step:
    """Lower to int16 of scale 1/32768."""
    options = site.operator.options
    assert isinstance(options, Softmax)
    source = site.input(0)
    if symmetric_scale(site, site.output()) != 1 / 32_768:
        site.refuse("its output must have scale 1/32768")
    if not source.shape or source.shape[-1] > MAX_CLASSES:
        site.refuse(f"shape {list(source.shape)}; up to {MAX_CLASSES} classes are supported")
    check_beta(site, options.beta)
    factor = symmetric_scale(site, source) * options.beta / (_REACH / 65_535)
    multiplier, shift = quantize_multiplier(factor)
    return Step(
        Opcode.SOFTMAX_S16,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.Softmax(
            exponential=site.constants.add(lookup(math.exp, -_REACH, 0.0)),
            reciprocal=site.constants.add(lookup(lambda x: 1 / (1 + x), 0.0, 1.0)),
            multiplier=multiplier,
            shift=shift,
        ),
        in_place=site.operator.inputs[:1],
    )


def lookup(function: Callable[[float], float], first: float, last: float) -> NDArray[np.int16]:
    """A table of 512 pieces of a line in Q0.15, each moved to halve its error in the middle.

    TFLite's LUTPopulate (kernels/internal/common.h), in float32 as there.
    """
    low, step = (
        np.float32(first),
        np.float32(np.float32(last) - np.float32(first)) / np.float32(512),
    )
    half, unit = step / np.float32(2), np.float32(32_768)

    def value(x: np.float32) -> np.float32:
        return np.float32(function(float(x))) * unit

    table = []
    for number in range(_STEPS):
        here, middle = low + np.float32(number) * step, low + np.float32(number) * step + half
        start, end = _round(value(here)), value(low + np.float32(number + 1) * step)
        between = _round((end + start) / np.float32(2))
        offset = _round((between - _round(value(middle))) / np.float32(2))
        table.append(start - offset)
    table.append(_round(value(np.float32(last))))
    return np.clip(table, -32_768, 32_767).astype("<i2")


def _round(x: np.float32) -> np.float32:
    """Halves away from zero."""
    return np.float32(np.copysign(np.floor(np.abs(x) + np.float32(0.5)), x))
