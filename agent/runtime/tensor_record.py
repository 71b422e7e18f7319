"""Tensors as a plan describes them, in a file or in a module's memory (docs/reference/plan.md)."""

import struct
from dataclasses import dataclass
from math import isfinite, prod

from agent.errors import ModelError
from agent.runtime.protocol import TensorInfo

RECORD_BYTES = 48
MAX_OPERANDS = 1024
"""Inputs, and outputs, of one model; to look into one, every tensor of it is made an output."""
MAX_NAME_BYTES = 256
_RECORD = struct.Struct("<4B3Ifi6I")
_DTYPES = {0: ("float32", 4), 2: ("int32", 4), 7: ("int16", 2), 9: ("int8", 1)}
_UINT8_OUTSIDE = 1


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """One input or output.

    Attributes:
        info: as the model's user sees it; uint8 where the engine flips bit 7.
        stored: dtype of the bytes in memory.
        bytes: how many.
        offset: of the bytes, in the tensor's place.
        in_arena: that place is the arena, else the plan's constants.
    """

    info: TensorInfo
    stored: str
    bytes: int
    offset: int
    in_arena: bool

    @property
    def is_flipped(self) -> bool:
        """The stored bytes are the user's with bit 7 flipped."""
        return self.stored != self.info.dtype

    @property
    def item_bytes(self) -> int:
        """Size of an element, and what its address is a multiple of."""
        return self.bytes // prod(self.info.shape)


def name_at(record: bytes) -> int:
    """Where a record says that its name begins, in the strings."""
    return int(_RECORD.unpack(record)[6])


def read_record(record: bytes, text: bytes) -> TensorRecord:
    """Read 48 bytes; `text` begins with the tensor's name.

    Raises:
        ModelError: type, shape, size or quantization contradict each other or the format.
    """
    dtype, rank, place, flags, offset, size, _, scale, zero_point, *dims = _RECORD.unpack(record)
    raw = text[:MAX_NAME_BYTES].split(b"\0", 1)[0].decode(errors="replace")
    name = "".join(letter if letter.isprintable() else "?" for letter in raw)
    if dtype not in _DTYPES or rank > len(dims) or place > 1:
        raise ModelError(f"tensor {name[:64]!r} has type {dtype}, rank {rank} and place {place}")
    stored, item_bytes = _DTYPES[dtype]
    shape = tuple(dims[:rank])
    is_padded = all(dim == 1 for dim in dims[rank:])
    if not is_padded or min(dims) < 1 or prod(shape) * item_bytes != size or size >= 1 << 31:
        raise ModelError(f"tensor {name[:64]!r} of shape {list(dims)} claims {size} bytes")
    if not isfinite(scale) or scale < 0 or not -(1 << 15) <= zero_point < 1 << 15:
        raise ModelError(f"tensor {name[:64]!r} has scale {scale} and zero point {zero_point}")
    info = TensorInfo(name, shape, stored, scale, zero_point)
    if flags & _UINT8_OUTSIDE and stored == "int8":
        info = TensorInfo(name, shape, "uint8", scale, zero_point + 128 if scale else 0)
    return TensorRecord(info, stored, size, offset, in_arena=place == 0)
