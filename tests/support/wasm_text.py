"""A small assembler: modules with the interface of a model, and one thing about them wrong.

Functions are bytes of code; names are those of the specification.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from toolchain.convert.leb128 import write_i32, write_u32

I32, I64, F32, F64, V128 = 0x7F, 0x7E, 0x7D, 0x7C, 0x7B
UNREACHABLE, LOOP, END, BR, BR_IF, CALL, DROP = (
    b"\0",
    b"\x03",
    b"\x0b",
    b"\x0c",
    b"\x0d",
    b"\x10",
    b"\x1a",
)
BLOCK, EMPTY, SELECT = b"\x02", b"\x40", b"\x1b"
TABLE_AT, RECORDS_AT, OPERANDS_AT, NAMES_AT, INPUT_AT, OUTPUT_AT = 16, 64, 160, 176, 256, 272
SHAPE, SIZE = (1, 4), 4


def const(value: int) -> bytes:
    return b"\x41" + write_i32(value)


def vector(parts: Sequence[bytes]) -> bytes:
    return write_u32(len(parts)) + b"".join(parts)


def text(name: str) -> bytes:
    return write_u32(len(name.encode())) + name.encode()


def section(kind: int, payload: bytes) -> bytes:
    return bytes([kind]) + write_u32(len(payload)) + payload


def signature(parameters: Sequence[int], results: Sequence[int]) -> bytes:
    return (
        b"\x60" + vector([bytes([k]) for k in parameters]) + vector([bytes([k]) for k in results])
    )


def record(
    dtype: int = 9,
    shape: Sequence[int] = SHAPE,
    size: int = SIZE,
    *,
    flags: int = 0,
    name: int = 0,
    scale: float = 0.5,
    zero_point: int = -3,
) -> bytes:
    dims = [*shape, 1, 1, 1, 1, 1, 1][:6]
    return struct.pack(
        "<4B3Ifi6I", dtype, len(shape), 0, flags, 0, size, name, scale, zero_point, *dims
    )


def table(inputs: int = 1, outputs: int = 1, **changes: int) -> bytes:
    words = {
        "abi": 1,
        "plan": 0,
        "tensors": RECORDS_AT,
        "operands": OPERANDS_AT,
        "inputs": inputs,
        "outputs": outputs,
        "strings": NAMES_AT,
        "arena": 0,
        "arena_bytes": 0,
    } | changes
    return struct.pack("<9I", *words.values())


# Each output byte is the input's, plus one.
COPY = b"".join(
    const(OUTPUT_AT + i) + const(INPUT_AT + i) + b"\x2d\0\0" + const(1) + b"\x6a" + b"\x3a\0\0"
    for i in range(SIZE)
)


@dataclass
class Made:
    """The parts of a module that behaves; tests replace one."""

    invoke: bytes = COPY + const(0)
    invoke_locals: Sequence[tuple[int, int]] = ()
    abi: bytes = const(1)
    describe: bytes = const(TABLE_AT)
    input: bytes = const(INPUT_AT)
    output: bytes = const(OUTPUT_AT)
    pages: tuple[int, int | None] = (1, 1)
    memories: int = 1
    table: bytes = field(default_factory=table)
    records: bytes = field(default_factory=lambda: record(name=0) + record(name=3))
    operands: bytes = struct.pack("<2H", 0, 1)
    names: bytes = b"in\0out\0"
    segments: Sequence[tuple[int, bytes]] = ()
    imports: bytes | None = None
    start: bytes | None = None
    exports: Sequence[tuple[str, int, int]] = (
        ("memory", 2, 0),
        ("sv_abi", 0, 0),
        ("sv_describe", 0, 1),
        ("sv_input", 0, 2),
        ("sv_output", 0, 3),
        ("sv_invoke", 0, 4),
    )
    types: Sequence[bytes] = (signature((), (I32,)), signature((I32,), (I32,)))
    functions: Sequence[int] = (0, 0, 1, 1, 0)
    globals: bytes | None = None
    elements: bytes | None = None
    tables: bytes | None = None
    custom: Sequence[tuple[str, bytes]] = ()

    def bytes(self) -> bytes:
        least, most = self.pages
        limits = bytes([most is not None]) + write_u32(least)
        limits += b"" if most is None else write_u32(most)
        written = [
            (TABLE_AT, self.table),
            (RECORDS_AT, self.records),
            (OPERANDS_AT, self.operands),
            (NAMES_AT, self.names),
            *self.segments,
        ]
        bodies = [
            code(self.abi),
            code(self.describe),
            code(self.input),
            code(self.output),
            code(self.invoke, self.invoke_locals),
        ]
        exports = [
            text(name) + bytes([kind]) + write_u32(index) for name, kind, index in self.exports
        ]
        parts = [
            *(section(0, text(name) + payload) for name, payload in self.custom),
            section(1, vector(self.types)),
            section(2, self.imports) if self.imports is not None else b"",
            section(3, vector([write_u32(kind) for kind in self.functions])),
            section(4, self.tables) if self.tables is not None else b"",
            section(5, vector([limits] * self.memories)),
            section(6, self.globals) if self.globals is not None else b"",
            section(7, vector(exports)),
            section(8, self.start) if self.start is not None else b"",
            section(9, self.elements) if self.elements is not None else b"",
            section(10, vector(bodies[: len(self.functions)])),
            section(
                11,
                vector(
                    [
                        b"\0" + const(address) + END + write_u32(len(data)) + data
                        for address, data in written
                    ]
                ),
            ),
        ]
        return b"\0asm\1\0\0\0" + b"".join(parts)


def code(body: bytes, local_types: Sequence[tuple[int, int]] = ()) -> bytes:
    declared = vector([write_u32(count) + bytes([kind]) for count, kind in local_types])
    whole = declared + body + END
    return write_u32(len(whole)) + whole


IMPORT = vector([text("env") + text("f") + b"\0\0"])
FOREVER = LOOP + EMPTY + BR + b"\0" + END + const(0)
ENDLESS_RECURSION = CALL + b"\4"
TRAP = UNREACHABLE
OUTSIDE = const(-4) + const(1) + b"\x36\2\0" + const(0)
GROW = const(1) + b"\x40\0" + DROP + const(0)
BAD_STATUS = const(7)
