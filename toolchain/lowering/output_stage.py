"""Bias, multipliers and range of the operators that sum products."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.lowering.activation_range import activation_range
from toolchain.lowering.multiplier import quantize_multipliers
from toolchain.lowering.site import Site
from toolchain.plan.parameters import OutputStage
from toolchain.tflite.dtype import DType
from toolchain.tflite.slots import Activation

MAX_TERMS = 131_071
"""Most products of two int8 whose sum fits in int32."""


def output_stage(
    site: Site, weights: NDArray[np.int8], axis: int, factors: list[float], activation: Activation
) -> OutputStage:
    """Fold the input's zero point into the bias, and quantize each channel's factor.

    Sums wrap at 32 bits in the engine, so the fold is exact wherever the reference's own sums are
    defined: bias + Σ w·(x − z) = (bias − z·Σ w) + Σ w·x.
    """
    channels = weights.shape[axis]
    _, zero_point = site.per_tensor(site.input(0))
    around = tuple(dimension for dimension in range(weights.ndim) if dimension != axis)
    folded = _bias(site, channels) - zero_point * weights.sum(axis=around, dtype=np.int64)
    multipliers, shifts = quantize_multipliers(factors)
    low, high = activation_range(site, activation)
    return OutputStage(
        bias=site.constants.add(folded.astype("<i4")),
        multiplier=site.constants.add_int32(multipliers),
        shift=site.constants.add_int8(shifts),
        low=low,
        high=high,
    )


def factors(site: Site, channels: int, axis: int) -> list[float]:
    """s_in · s_w / s_out for each channel, in double; one weight scale serves all channels."""
    scale_in, _ = site.per_tensor(site.input(0))
    scale_out, _ = site.per_tensor(site.output())
    scales = weight_scales(site, channels, axis)
    return [scale_in * scale / scale_out for scale in scales * (channels // len(scales))]


def weight_scales(site: Site, channels: int, axis: int) -> tuple[float, ...]:
    """The weights' scales: one, or one for each channel; their zero points must be 0."""
    quantization = site.quantization(site.input(1))
    if any(quantization.zero_points):
        site.refuse("its weights have a zero point; only symmetric weights are supported")
    count = len(quantization.scales)
    if count not in (1, channels) or (count > 1 and quantization.axis != axis):
        site.refuse(f"its weights have {count} scales along axis {quantization.axis}")
    return quantization.scales


def _bias(site: Site, channels: int) -> NDArray[Any]:
    if site.index(2) is None:
        return np.zeros(channels, np.int64)
    return site.constant(2, DType.INT32).astype(np.int64).reshape(channels)
