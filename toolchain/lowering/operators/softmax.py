"""SOFTMAX."""

import math

import numpy as np

from toolchain.lowering import float32
from toolchain.lowering.fixed_point import exp_on_negative, mbqm
from toolchain.lowering.float32 import Float32s
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode, Rounding
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import Softmax

MAX_CLASSES = 4095
MAX_BETA = 1e6
_INTEGER_BITS = 5
_FRACTION_BITS = 31 - _INTEGER_BITS


def lower(site: Site) -> Step:
    """Lower int8 to int8 of scale 1/256 and zero point −128."""
    options = site.operator.options
    assert isinstance(options, Softmax)
    source = site.input(0, DType.INT8)
    if site.per_tensor(site.output(DType.INT8)) != (1 / 256, -128):
        site.refuse("its output must have scale 1/256 and zero point -128")
    if not source.shape or source.shape[-1] > MAX_CLASSES:
        site.refuse(f"shape {list(source.shape)}; up to {MAX_CLASSES} classes are supported")
    check_beta(site, options.beta)
    scale, _ = site.per_tensor(source)
    if site.settings.rounding is Rounding.SINGLE:
        table = site.constants.add(float32_exponentials(options.beta, scale).astype("<f4"))
    else:
        table = site.constants.add_int32(exponentials(options.beta * scale))
    return Step(
        Opcode.SOFTMAX_S8,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.Softmax(table),
        in_place=site.operator.inputs[:1],
    )


def check_beta(site: Site, beta: float) -> None:
    """Refuse what would make exponentials grow or be no numbers."""
    if not 0 <= beta <= MAX_BETA:
        site.refuse(f"its beta is {beta}; 0 to {MAX_BETA:g} is supported")


def exponentials(step: float) -> list[int]:
    """exp(−i · step) in Q0.31 for i = 0 … 255; 0 for what TFLite leaves out of the sum.

    TFLite's PreprocessSoftmaxScaling and reference/softmax.h: the result depends on nothing but
    the difference of two bytes.
    """
    multiplier, shift = quantize_multiplier(min(step * 2**_FRACTION_BITS, 2.0**31 - 1))
    radius = math.floor((2**_INTEGER_BITS - 1) * 2.0**_FRACTION_BITS / 2.0**shift)
    return [
        exp_on_negative(mbqm(-i, multiplier, shift), _INTEGER_BITS) if i <= radius else 0
        for i in range(256)
    ]


def float32_exponentials(beta: float, scale: float) -> Float32s:
    """exp(−i · scale · beta) in float32, as LiteRT's optimized softmax has them."""
    return float32.exponentials(
        -np.float32(scale) * np.float32(beta) * np.arange(256, dtype=np.float32)
    )
