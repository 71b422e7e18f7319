"""Real values to what a tensor stores."""

import numpy as np
from numpy.typing import NDArray

from agent.errors import ConfigError
from agent.pipeline.preprocess.describe import describe_tensor
from agent.pipeline.sample import Floats, Tensor
from agent.runtime.protocol import TensorInfo

QUANTIZED = ("int8", "uint8", "int16")


class Quantizer:
    """stored = clamp(round(real / scale) + zero_point), halves away from zero, as TFLite rounds.

    The quotient is taken in float32, as TFLite's QUANTIZE operator does. float32 tensors get the
    real values themselves.
    """

    def __init__(self, tensor: TensorInfo) -> None:
        """Prepare for `tensor`.

        Raises:
            ConfigError: the tensor is of another type, or an integer without quantization.
        """
        self.dtype = np.dtype(tensor.dtype)
        self._float = tensor.dtype == "float32"
        if self._float:
            return
        if tensor.dtype not in QUANTIZED:
            raise ConfigError(
                f"preprocess: {describe_tensor(tensor)}; only float32, int8, uint8 and int16 "
                "inputs can be computed: convert the model, or use kind tensor"
            )
        if not np.float32(tensor.scale) > 0:
            raise ConfigError(
                f"preprocess: {describe_tensor(tensor)} without quantization, so real values "
                "cannot be stored in it: use kind tensor, or convert the model again"
            )
        limits = np.iinfo(self.dtype)
        self._scale = np.float32(tensor.scale)
        self._zero_point = tensor.zero_point
        self._least = float(limits.min - tensor.zero_point)
        self._most = float(limits.max - tensor.zero_point)

    def real(self, stored: Tensor) -> Floats:
        """What stored values stand for."""
        if self._float:
            return stored.astype(np.float32)
        return (stored.astype(np.float32) - np.float32(self._zero_point)) * self._scale

    def store(self, real: Floats, stored: Tensor) -> None:
        """Write finite `real` values into `stored`, of the same shape and the tensor's dtype."""
        if self._float:
            stored[...] = real
            return
        with np.errstate(over="ignore"):
            quotient = np.divide(real, self._scale, dtype=np.float32)
        # float64 holds quotient + 0.5 exactly, so no half is rounded twice.
        steps = np.clip(quotient, self._least, self._most).astype(np.float64)
        steps += np.copysign(0.5, steps)
        np.trunc(steps, out=steps)
        steps += self._zero_point
        np.copyto(stored, steps, casting="unsafe")


def rows_are_finite(rows: Floats) -> NDArray[np.bool_]:
    """Say for each row of [n, k] whether all its values are finite."""
    return np.asarray(np.isfinite(rows).all(axis=1))
