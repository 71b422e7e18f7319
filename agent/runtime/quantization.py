"""Affine quantization: real = scale × (stored - zero_point).

Formula and rounding: "LiteRT 8-bit quantization specification"; a tie rounds away from zero, as the
QUANTIZE operator does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.runtime.protocol import TensorInfo


def quantize(real: NDArray[Any], info: TensorInfo) -> NDArray[Any]:
    """Return `real` as `info` stores it, saturated at the ends of its dtype; NaN becomes zero."""
    limits = np.iinfo(info.dtype)
    scaled = np.asarray(real, np.float32) / np.float32(info.scale)
    rounded = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)) + info.zero_point
    stored: NDArray[Any] = np.clip(np.nan_to_num(rounded), limits.min, limits.max)
    return stored.astype(info.dtype)


def dequantize(stored: NDArray[Any], info: TensorInfo) -> NDArray[np.float32]:
    """Return the real values of `stored` as float32."""
    offset = stored.astype(np.int32) - np.int32(info.zero_point)
    return offset.astype(np.float32) * np.float32(info.scale)
