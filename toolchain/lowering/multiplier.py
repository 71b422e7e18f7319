"""Real factors as (int32 multiplier, shift): factor ≈ multiplier · 2^(shift − 31)."""

import math
from collections.abc import Iterable

_MAX = 2**31 - 1


def quantize_multiplier(factor: float) -> tuple[int, int]:
    """TFLite's QuantizeMultiplier (kernels/internal/quantization_util.cc).

    Factors of 2^30 and more saturate: TFLite's single-rounding build does the same, and no model
    has them.
    """
    if factor == 0 or not math.isfinite(factor):
        return 0, 0
    fraction, shift = math.frexp(factor)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    if shift < -31:
        return 0, 0
    return (multiplier, shift) if shift <= 30 else (_MAX, 30)


def quantize_multipliers(factors: Iterable[float]) -> tuple[list[int], list[int]]:
    """Multipliers and shifts of several factors."""
    pairs = [quantize_multiplier(factor) for factor in factors]
    return [multiplier for multiplier, _ in pairs], [shift for _, shift in pairs]
