"""Static int8 quantization by the TFLite specification: what scales and integers to use.

Activations are asymmetric per tensor over −128…127; weights symmetric over ±127, per channel or
per tensor; biases int32 with scale s_in · s_w and zero point 0. Scales are float32 values, as the
file stores them, so that writer and reader compute with the same numbers.
"""

import numpy as np
from numpy.typing import NDArray

from toolchain.tflite.model import Quantization

Floats = NDArray[np.floating]
PROBABILITY = Quantization((1 / 256,), (-128,))
"""What int8 softmax gives out under every TFLite runtime."""
_MAX = 127
_LEAST = 2.0**-60
"""Two such scales still have a product, that of a bias, which float32 holds with all its bits."""


def activation(values: Floats) -> Quantization:
    """Cover the values seen in calibration, and zero, which must be exact for padding."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = _scale((high - low) / 255)
    return Quantization((scale,), (round(-128 - low / scale),))


def per_channel(weights: Floats) -> Quantization:
    """Scale each channel, which is dimension 0, by its own largest weight."""
    largest = np.abs(weights.reshape(len(weights), -1)).max(axis=1)
    scales = tuple(_scale(one / _MAX) for one in largest.tolist())
    return Quantization(scales, (0,) * len(scales), axis=0)


def per_tensor(weights: Floats) -> Quantization:
    """Scale all weights by the largest one."""
    return Quantization((_scale(float(np.abs(weights).max()) / _MAX),), (0,))


def bias(inputs: Quantization, weights: Quantization) -> Quantization:
    """Give the bias the scale of the accumulator: s_in · s_w."""
    scales = tuple(_float32(inputs.scales[0] * scale) for scale in weights.scales)
    return Quantization(scales, (0,) * len(scales), axis=0)


def to_int8(weights: Floats, quantization: Quantization) -> NDArray[np.int8]:
    """Round weights to ±127; −128 is left out, since packed kernels cannot hold it."""
    scaled = np.rint(weights / _column(quantization, weights.ndim))
    return np.clip(scaled, -_MAX, _MAX).astype(np.int8)


def to_int32(values: Floats, quantization: Quantization) -> NDArray[np.int32]:
    """Round a bias to int32."""
    limits = np.iinfo(np.int32)
    scaled = np.rint(values / np.array(quantization.scales))
    rounded: NDArray[np.int32] = np.clip(scaled, limits.min, limits.max).astype(np.int32)
    return rounded


def _column(quantization: Quantization, rank: int) -> NDArray[np.float64]:
    return np.array(quantization.scales).reshape(-1, *(1,) * (rank - 1))


def _scale(step: float) -> float:
    return max(_float32(step), _LEAST) if step else 1.0


def _float32(value: float) -> float:
    return float(np.float32(value))
