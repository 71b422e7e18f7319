"""Tables of a flatbuffer from outside: no offset or count is followed before it is checked.

The `flatbuffers` package reads trusted buffers only: it has no verifier in Python. The layout is
that of the FlatBuffers internals document: a table starts with a signed offset back to its vtable;
vectors and strings start with a 32-bit count; all offsets are relative to where they stand.
"""

import struct
from typing import Any

from toolchain.errors import ModelRefused

MAX_ELEMENTS = 2_000_000
"""Values read from one file, apart from constants: many tables may point at one vector, so that a
small file could otherwise unfold without end."""
MAX_STRING_BYTES = 4096
MAX_VECTOR = 1 << 20


class Source:
    """The bytes, and how much may still be unfolded from them."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self._left = MAX_ELEMENTS

    def spend(self, elements: int, where: str) -> None:
        """Account for `elements` that are about to be read.

        Raises:
            ModelRefused: the file unfolds to more than `MAX_ELEMENTS`.
        """
        self._left -= elements
        if self._left < 0:
            raise ModelRefused(f"{where}: unfolds to more than {MAX_ELEMENTS} values")

    def unpack(self, format_: str, position: int, where: str) -> tuple[Any, ...]:
        """Read little-endian values at an absolute position.

        Raises:
            ModelRefused: they would lie outside the file.
        """
        size = struct.calcsize("<" + format_)
        if position < 0 or position + size > len(self.data):
            raise ModelRefused(
                f"{where}: bytes {position} to {position + size} lie outside the file of "
                f"{len(self.data)} bytes; it is truncated or damaged, copy or export it again"
            )
        return struct.unpack_from("<" + format_, self.data, position)


class Table:
    """One table; `where` names it in refusals."""

    __slots__ = ("_position", "_size", "_source", "_vtable", "where")

    def __init__(self, source: Source, position: int, where: str) -> None:
        self._source, self._position, self.where = source, position, where
        (back,) = source.unpack("i", position, where)
        vtable_bytes, self._size = source.unpack("HH", position - back, where)
        if vtable_bytes < 4 or vtable_bytes % 2 or self._size < 4:
            raise ModelRefused(f"{where}: damaged vtable; copy or export the file again")
        source.spend(8 + vtable_bytes // 2, where)
        self._vtable = source.unpack(f"{vtable_bytes // 2 - 2}H", position - back + 4, where)

    def scalar(self, slot: int, format_: str, default: Any) -> Any:
        """Read a scalar; `default` if it is absent."""
        at = self._field(slot, struct.calcsize("<" + format_))
        return default if at is None else self._source.unpack(format_, at, self.where)[0]

    def vector(self, slot: int, format_: str, limit: int = MAX_VECTOR) -> tuple[Any, ...]:
        """Read a vector of scalars; empty if it is absent."""
        found = self._vector(slot, struct.calcsize("<" + format_))
        if found is None:
            return ()
        start, count = found
        self._bound(count, limit)
        return self._source.unpack(f"{count}{format_}", start, self.where)

    def data(self, slot: int) -> memoryview | None:
        """Return a vector of bytes without copying it; None if it is absent or empty."""
        found = self._vector(slot, 1)
        if found is None or found[1] == 0:
            return None
        return self._source.data[found[0] : found[0] + found[1]]

    def text(self, slot: int) -> str:
        """Read a string; bytes that are not UTF-8 are shown as escapes."""
        found = self._vector(slot, 1)
        if found is None:
            return ""
        start, count = found
        self._bound(count, MAX_STRING_BYTES)
        return bytes(self._source.data[start : start + count]).decode("utf-8", "backslashreplace")

    def table(self, slot: int, where: str) -> "Table | None":
        """Follow an offset to another table; None if it is absent."""
        at = self._target(slot)
        return None if at is None else Table(self._source, at, where)

    def tables(self, slot: int, name: str, limit: int) -> "list[Table]":
        """Follow a vector of offsets to tables, each then called `name` and its number."""
        found = self._vector(slot, 4)
        if found is None:
            return []
        start, count = found
        if count > limit:
            raise ModelRefused(f"{self.where}: {count} × {name}, more than the limit of {limit}")
        offsets = self._source.unpack(f"{count}I", start, self.where)
        return [
            Table(self._source, start + 4 * i + offset, f"{name} {i}")
            for i, offset in enumerate(offsets)
        ]

    def _field(self, slot: int, size: int) -> int | None:
        offset = self._vtable[slot] if slot < len(self._vtable) else 0
        if offset == 0:
            return None
        if offset < 4 or offset + size > self._size:
            raise ModelRefused(f"{self.where}: field {slot} lies outside its table")
        return self._position + int(offset)

    def _target(self, slot: int) -> int | None:
        at = self._field(slot, 4)
        return None if at is None else at + int(self._source.unpack("I", at, self.where)[0])

    def _vector(self, slot: int, width: int) -> tuple[int, int] | None:
        at = self._target(slot)
        if at is None:
            return None
        (count,) = self._source.unpack("I", at, self.where)
        start, end = at + 4, at + 4 + count * width
        if end > len(self._source.data):
            raise ModelRefused(
                f"{self.where}: {count * width} bytes at {start} run past the end of the file of "
                f"{len(self._source.data)} bytes; it is truncated or damaged, copy it again"
            )
        return start, count

    def _bound(self, count: int, limit: int) -> None:
        if count > limit:
            raise ModelRefused(
                f"{self.where}: a list of {count} values, more than the limit of {limit}"
            )
        self._source.spend(count, self.where)
