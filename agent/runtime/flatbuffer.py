"""Proof that a flatbuffer lies inside its bytes, before native code follows its offsets.

A schema is a plain table of tables: a field is a `struct` letter for a scalar, the name of another
table, or either of them in brackets for a vector (`[B]` also stands for strings). The format:
https://flatbuffers.dev/internals/
"""

import struct
from typing import Any

Schema = dict[str, dict[int, str]]
Table = dict[int, Any]

MAX_DEPTH = 16
_SIZES = {letter: struct.calcsize(f"<{letter}") for letter in "bBhHiIqQf"}


class MisplacedError(ValueError):
    """An offset or a length leads out of the file."""


def read_table(data: bytes, root: str, schema: Schema) -> Table:
    """Follow every offset of the schema from the file's root table.

    Returns:
        Fields that are present, by number: a scalar, a table, a list of tables, or a vector of
        scalars as the `memoryview` of its elements.

    Raises:
        MisplacedError: something lies outside `data` or is not aligned; the text says where.
    """
    reader = _Reader(data, schema)
    return reader.table(reader.target(0), root, MAX_DEPTH)


class _Reader:
    def __init__(self, data: bytes, schema: Schema) -> None:
        self._data = memoryview(data)
        self._schema = schema
        self._tables_left = len(data) // 4  # fewer fit, unless some are counted again and again

    def number(self, at: int, letter: str) -> Any:
        size = _SIZES[letter]
        if not 0 <= at <= len(self._data) - size or at % size:
            raise MisplacedError(f"byte {at} of {len(self._data)}")
        return struct.unpack_from(f"<{letter}", self._data, at)[0]

    def target(self, at: int) -> int:
        return at + int(self.number(at, "I"))

    def table(self, at: int, name: str, depth: int) -> Table:
        self._tables_left -= 1
        if depth == 0 or self._tables_left < 0:
            raise MisplacedError("tables without end")
        vtable = at - self.number(at, "i")
        vtable_size, table_size = self.number(vtable, "H"), self.number(vtable + 2, "H")
        if vtable_size < 4 or vtable_size % 2 or at + table_size > len(self._data):
            raise MisplacedError(f"byte {at} of {len(self._data)}")
        found: Table = {}
        for field, kind in self._schema[name].items():
            slot = 4 + 2 * field
            offset = self.number(vtable + slot, "H") if slot < vtable_size else 0
            if offset:
                if offset + _SIZES.get(kind, 4) > table_size:
                    raise MisplacedError(f"{name} field {field} of byte {at}")
                found[field] = self._value(at + offset, kind, name, field, depth)
        return found

    def _value(self, at: int, kind: str, name: str, field: int, depth: int) -> Any:
        try:
            if kind in _SIZES:
                return self.number(at, kind)
            if kind.startswith("["):
                return self._vector(self.target(at), kind[1:-1], depth)
            return self.table(self.target(at), kind, depth - 1)
        except MisplacedError as error:
            text = str(error)
            raise MisplacedError(
                text if " at " in text else f"{name} field {field} at {text}"
            ) from None

    def _vector(self, at: int, kind: str, depth: int) -> Any:
        count, first = self.number(at, "I"), at + 4
        size = _SIZES.get(kind, 4)
        if first + count * size > len(self._data) or first % size:
            raise MisplacedError(f"byte {at} of {len(self._data)}")
        if kind in _SIZES:
            return self._data[first : first + count * size].cast(kind)  # type: ignore[call-overload]
        return [
            self.table(self.target(first + 4 * index), kind, depth - 1) for index in range(count)
        ]
