"""Stored values to the real values they mean."""

from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ConfigError
from agent.pipeline.sample import Floats, Tensor
from agent.runtime.protocol import TensorInfo

READABLE = ("float32", "int8", "uint8", "int16", "int32")


class Dequantizer:
    """real = scale × (stored - zero_point), as float32; unquantized values are what they are.

    Attributes:
        is_float: the tensor may hold NaN or infinity.
    """

    def __init__(self, tensor: TensorInfo) -> None:
        """Prepare for `tensor`.

        Raises:
            ConfigError: its type is none that a result can be read from.
        """
        if tensor.dtype not in READABLE:
            raise ConfigError(
                f"postprocess: {describe_output(tensor)}, but results are read from "
                f"{', '.join(READABLE)}: convert the model"
            )
        self.is_float = tensor.dtype == "float32"
        self._quantized = tensor.scale > 0
        self._scale = np.float32(tensor.scale)
        self._zero_point = tensor.zero_point

    def real(self, stored: Tensor) -> Floats:
        """Return real values; for float32 they are the very memory of `stored`."""
        if not self._quantized:
            return stored.astype(np.float32, copy=False)
        real: Floats = np.subtract(stored, np.float32(self._zero_point), dtype=np.float32)
        real *= self._scale
        return real

    def one(self, stored: float) -> float:
        """Return the real value of one stored value."""
        if not self._quantized:
            return stored
        return (stored - self._zero_point) * float(self._scale)

    def stored(self, real: float) -> float:
        """Return the greatest stored value that is not above a real one; no dtype bounds it."""
        if not self._quantized:
            return real
        return floor(real / float(self._scale)) + self._zero_point


def describe_output(tensor: TensorInfo) -> str:
    """Say what a model gives, such as `output 'y' is int8 [1, 12]`."""
    return f"output '{tensor.name}' is {tensor.dtype} {list(tensor.shape)}"


def elements(tensor: TensorInfo) -> int:
    """Number of values of a tensor."""
    return int(np.prod(tensor.shape))


Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Tree = dict[str, Any]
