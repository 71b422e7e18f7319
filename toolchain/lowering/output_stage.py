"""Bias, multipliers and range of the operators that sum products."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.lowering.activation_range import activation_range
from toolchain.lowering.float32 import product_factors
from toolchain.lowering.multiplier import quantize_multipliers
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Rounding
from toolchain.plan.parameters import OutputStage
from toolchain.tflite.dtype import DType
from toolchain.tflite.slots import Activation

MAX_TERMS = 131_071
"""Most products of two int8 whose sum fits in int32."""


@dataclass(frozen=True, slots=True)
class StageNumbers:
    """What an output stage holds, before it has a place among the constants.

    Attributes:
        bias: int64 a channel, with the input's zero point folded in.
        multiplier: int32 a channel; float32 factors where the rounding is single.
        shift: int8 a channel.
    """

    rounding: Rounding
    bias: NDArray[np.int64]
    multiplier: NDArray[Any]
    shift: NDArray[np.int8]
    low: int
    high: int
    weight_zero_point: int


def place_stage(site: Site, numbers: StageNumbers, packed: NDArray[Any] | None) -> OutputStage:
    """Put the numbers among the constants: as `packed`, where the target's kernel wants that."""
    add = site.constants.add
    if packed is not None:
        return OutputStage(add(packed), 0, 0, numbers.low, numbers.high)
    return OutputStage(
        bias=add(numbers.bias.astype("<i4")),
        multiplier=add(numbers.multiplier),
        shift=add(numbers.shift),
        low=numbers.low,
        high=numbers.high,
        weight_zero_point=numbers.weight_zero_point,
    )


def stage_numbers(
    site: Site, weights: NDArray[np.int8], axis: int, activation: Activation
) -> StageNumbers:
    """Fold the input's zero point into the bias, and quantize each channel's factor.

    Sums wrap at 32 bits in the engine, so the fold is exact wherever the reference's own sums are
    defined: bias + Σ w·(x − z) = (bias − z·Σ w) + Σ w·x.
    """
    channels = weights.shape[axis]
    _, zero_point = site.per_tensor(site.input(0))
    around = tuple(dimension for dimension in range(weights.ndim) if dimension != axis)
    weight_zero_point = _weight_zero_point(site)
    sums = (weights.astype(np.int64) - weight_zero_point).sum(axis=around)
    multiplier, shift = _multipliers(site, channels, axis)
    low, high = activation_range(site, activation)
    return StageNumbers(
        rounding=site.settings.rounding,
        bias=_bias(site, channels) - zero_point * sums,
        multiplier=multiplier,
        shift=shift,
        low=low,
        high=high,
        weight_zero_point=weight_zero_point,
    )


def _multipliers(site: Site, channels: int, axis: int) -> tuple[NDArray[Any], NDArray[np.int8]]:
    """Each channel's multiplier and shift."""
    scale_in, _ = site.per_tensor(site.input(0))
    scale_out, _ = site.per_tensor(site.output())
    scales = weight_scales(site, channels, axis)
    times = channels // len(scales)
    if site.settings.rounding is Rounding.SINGLE:
        factors = product_factors(scale_in, scales, scale_out)
        if not np.isfinite(factors).all():
            site.refuse("its scales make a factor beyond float32; quantize the model again")
        return np.tile(factors, times), np.zeros(channels, np.int8)
    products = _products(site, scale_in, scales)
    multipliers, shifts = quantize_multipliers(product / scale_out for product in products)
    return np.tile(np.array(multipliers, "<i4"), times), np.tile(np.array(shifts, np.int8), times)


def _products(site: Site, scale_in: float, scales: tuple[float, ...]) -> list[float]:
    """s_in · s_w for each weight scale.

    In double, but for per-tensor FULLY_CONNECTED where the settings say so, and for what was
    uint8: there TFLite's GetQuantizedConvolutionMultipler forms the product in float32.
    """
    is_old = site.operator.inputs[1] in site.were_uint8
    is_per_tensor_fc = site.operator.name == "FULLY_CONNECTED" and len(scales) == 1
    if is_old or (is_per_tensor_fc and site.settings.float32_products):
        return [float(np.float32(scale_in) * np.float32(scale)) for scale in scales]
    return [scale_in * scale for scale in scales]


def weight_scales(site: Site, channels: int, axis: int) -> tuple[float, ...]:
    """One scale, or one for each channel along this axis."""
    quantization = site.quantization(site.input(1))
    count = len(quantization.scales)
    if count not in (1, channels) or (count > 1 and quantization.axis != axis):
        site.refuse(f"its weights have {count} scales along axis {quantization.axis}")
    return quantization.scales


def _weight_zero_point(site: Site) -> int:
    """0 but where TFLite's kernels heed it: in what was uint8, and in FULLY_CONNECTED."""
    zero_points = set(site.quantization(site.input(1)).zero_points)
    zero_point = zero_points.pop()
    may_be_any = (
        site.operator.inputs[1] in site.were_uint8 or site.operator.name == "FULLY_CONNECTED"
    )
    if zero_points or not -128 <= zero_point <= 127 or (zero_point and not may_be_any):
        site.refuse("its weights have a zero point; only symmetric weights are supported")
    return zero_point


def _bias(site: Site, channels: int) -> NDArray[Any]:
    if site.index(2) is None:
        return np.zeros(channels, np.int64)
    return site.constant(2, DType.INT32).astype(np.int64).reshape(channels)
