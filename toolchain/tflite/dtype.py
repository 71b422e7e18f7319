"""Element types of tensors, with the numbers and sizes of the TFLite schema."""

from enum import IntEnum


class DType(IntEnum):
    """Element type of a tensor; the value is the schema's `TensorType`."""

    FLOAT32 = 0
    FLOAT16 = 1
    INT32 = 2
    UINT8 = 3
    INT64 = 4
    STRING = 5
    BOOL = 6
    INT16 = 7
    COMPLEX64 = 8
    INT8 = 9
    FLOAT64 = 10
    COMPLEX128 = 11
    UINT64 = 12
    RESOURCE = 13
    VARIANT = 14
    UINT32 = 15
    UINT16 = 16
    INT4 = 17
    BFLOAT16 = 18

    @property
    def bits(self) -> int | None:
        """Bits of one element; None where the type has no fixed size."""
        return _BITS.get(self)

    @property
    def label(self) -> str:
        """The name that numpy would give it, such as `int8`."""
        return self.name.lower()

    def size_bytes(self, elements: int) -> int:
        """Bytes of a packed tensor; 0 where the type has no fixed size (strings, resources)."""
        return (elements * (self.bits or 0) + 7) // 8


_BITS = {
    DType.INT4: 4,
    **dict.fromkeys((DType.UINT8, DType.INT8, DType.BOOL), 8),
    **dict.fromkeys((DType.FLOAT16, DType.BFLOAT16, DType.INT16, DType.UINT16), 16),
    **dict.fromkeys((DType.FLOAT32, DType.INT32, DType.UINT32), 32),
    **dict.fromkeys((DType.INT64, DType.UINT64, DType.FLOAT64, DType.COMPLEX64), 64),
    DType.COMPLEX128: 128,
}

FLOATS = frozenset({DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16, DType.FLOAT64})
WEIGHT_INTEGERS = frozenset({DType.INT4, DType.INT8, DType.UINT8})
