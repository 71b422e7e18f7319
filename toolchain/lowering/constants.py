"""The constants of a plan, gathered while operators are lowered."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.plan.numbers import ALIGNMENT_BYTES


class ConstantPool:
    """Arrays one behind the other, each aligned to 16 bytes; equal bytes are kept once."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._offsets: dict[bytes, int] = {}

    def add(self, values: NDArray[Any]) -> int:
        """Keep an array, little-endian; returns its offset."""
        data = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        if data not in self._offsets:
            self._offsets[data] = len(self._bytes)
            self._bytes += data + bytes(-len(data) % ALIGNMENT_BYTES)
        return self._offsets[data]

    def add_int32(self, values: list[int]) -> int:
        """Keep int32 numbers."""
        return self.add(np.array(values, "<i4"))

    def add_int8(self, values: list[int]) -> int:
        """Keep int8 numbers."""
        return self.add(np.array(values, np.int8))

    def to_bytes(self) -> bytes:
        """All that was kept."""
        return bytes(self._bytes)
