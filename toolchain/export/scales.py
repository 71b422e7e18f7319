"""Scales of a layer that every runtime can compute with.

Beyond the rules of `toolchain.quantization`: a bias must fit into int32 beside its products, and
the factor from sums to outputs must lie where fixed point, and XNNPACK, have bits for it. Both are
met by making a scale coarser, where that loses nothing that the output could show.
"""

import numpy as np

from toolchain import quantization as q
from toolchain.export.layers import Floats
from toolchain.tflite.model import Quantization

BIAS_MAX = 2**30
FACTOR_MAX = 64.0
"""An output finer than this part of a sum's unit shows nothing more."""
FACTOR_MIN = 2.0**-24
"""Below it even the largest sum is no step of the output."""

LEAST_SCALE = 2.0**-48
"""Products of two scales are scales, too, and have to be normal float32 numbers."""
MAX_VALUE = 2.0**60
"""For the same reason; weights of the contract are below 2^40."""


def weight_scales(
    weights: Floats, bias: Floats, source: Quantization, *, by_channel: bool
) -> Quantization:
    """Scales of weights whose channels are dimension 0, wide enough for the bias."""
    plain = q.per_channel(weights) if by_channel else q.per_tensor(weights)
    least = np.abs(bias.astype(np.float64)) / (source.scales[0] * BIAS_MAX)
    if not by_channel:
        least = least.max(keepdims=True)
    return _at_least(plain, np.maximum(least, LEAST_SCALE))


def output_scale(
    low: float, high: float, source: Quantization, weights: Quantization
) -> Quantization:
    """The output's quantization for a range, no finer than sums can tell."""
    unit = max(LEAST_SCALE, source.scales[0] * max(weights.scales) / FACTOR_MAX)
    low, high = min(0.0, low), max(0.0, high)
    if high - low < 255 * unit:
        high = low + 255 * unit
    return q.activation(np.array([low, high]))


def input_scale(values: Floats) -> Quantization:
    """The quantization that covers a model's inputs."""
    found = q.activation(values)
    return found if found.scales[0] >= LEAST_SCALE else Quantization((LEAST_SCALE,), (-128,))


def coarsened(weights: Quantization, source: Quantization, output: Quantization) -> Quantization:
    """The weights' scales, none so small that the factor to the output has no bits."""
    least = FACTOR_MIN * output.scales[0] / source.scales[0]
    return _at_least(weights, np.full(len(weights.scales), least))


def _at_least(given: Quantization, least: np.ndarray) -> Quantization:
    scales = np.maximum(np.array(given.scales), least).astype(np.float32)
    return Quantization(tuple(map(float, scales)), given.zero_points, given.axis)
