"""Fixed records: dataclasses whose fields say how they lie in bytes, in order, little-endian."""

import struct
from dataclasses import astuple, dataclass, fields
from functools import cache
from typing import Annotated, Self, get_args, get_origin, get_type_hints

I8 = Annotated[int, "b"]
U8 = Annotated[int, "B"]
I16 = Annotated[int, "h"]
U16 = Annotated[int, "H"]
I32 = Annotated[int, "i"]
U32 = Annotated[int, "I"]
F32 = Annotated[float, "f"]


@dataclass(frozen=True, slots=True)
class Record:
    """Base of all records; a field is one of the types above, or another record."""

    def pack(self) -> bytes:
        """Write the record.

        Raises:
            struct.error: a number does not fit its field.
        """
        return struct.pack(layout(type(self)), *_flat(astuple(self)))

    @classmethod
    def unpack(cls, data: bytes | memoryview, offset: int = 0) -> Self:
        """Read the record at `offset`.

        Raises:
            struct.error: it does not lie inside `data`.
        """
        values = list(struct.unpack_from(layout(cls), data, offset))
        return cls(*_take(cls, values))


def layout(kind: type[Record]) -> str:
    """The `struct` format of a record, without padding."""
    return "<" + "".join(_formats(kind))


def size_bytes(kind: type[Record]) -> int:
    """Bytes of a record."""
    return struct.calcsize(layout(kind))


def _formats(kind: type) -> list[str]:
    formats = []
    for hint in _hints(kind):
        if get_origin(hint) is Annotated:
            formats.append(str(get_args(hint)[1]))
        else:
            formats += _formats(hint)
    return formats


@cache
def _hints(kind: type) -> tuple[type, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(hints[field.name] for field in fields(kind))


def _flat(values: tuple[object, ...]) -> list[object]:
    flat: list[object] = []
    for value in values:
        flat += _flat(value) if isinstance(value, tuple) else [value]
    return flat


def _take(kind: type, values: list[object]) -> list[object]:
    return [
        values.pop(0) if get_origin(hint) is Annotated else hint(*_take(hint, values))
        for hint in _hints(kind)
    ]
