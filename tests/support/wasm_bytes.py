"""Hand-made wasm: the smallest engine that can be joined, and a plan's header."""

import struct
from collections.abc import Callable
from dataclasses import replace

from toolchain.convert.code import write_bodies
from toolchain.convert.contents import GLOBAL, MEMORY, Export, Limits, write_exports, write_memory
from toolchain.convert.join import EXPORTS
from toolchain.convert.label import Label
from toolchain.convert.leb128 import write_i32
from toolchain.convert.sections import Kind, Section, write
from toolchain.convert.trim import COUNT, KERNELS
from toolchain.errors import ModelRefused
from toolchain.plan.layout import HEADER_BYTES, Header
from toolchain.plan.numbers import MAGIC

LABEL = Label("m", "1.2.3", "00", "11", "double", "scalar")
FUNCTIONS = sorted(EXPORTS - {b"memory"})
EXPORTED = (
    Export(b"memory", MEMORY, 0),
    Export(b"__heap_base", GLOBAL, 0),
    Export(KERNELS, GLOBAL, 1),
    Export(COUNT, GLOBAL, 2),
    *(Export(name, 0, 0) for name in FUNCTIONS),
)
KEYS = ((0x0100, 2, 3), (2, 1, 0))
"""Opcode, version and layout of the engine's two kernels."""
CALLED = b"\x00\x01\x0b"
"""What each of its functions does but two: nothing."""
BODIES = [
    CALLED,
    *(CALLED, b"\x00\x10\x05\x0b"),  # the first kernel's check; its run calls function 5
    *(
        CALLED,
        b"\x00\x41\x05\x1a\x0b",
    ),  # the second's; its run has place 5 of the table: function 6
    *(CALLED, CALLED),
]
_DATA_AT, _ARRAY_AT, _RECORDS_AT = 8, 12, 20


def data_segment(keys: tuple[tuple[int, int, int] | None, ...] = KEYS) -> bytes:
    """How many kernels there are, their addresses, and their records; None is one wiped out."""
    records = [_RECORDS_AT + 12 * number for number in range(len(keys))]
    content = struct.pack("<3I", len(keys), *records)
    for number, key in enumerate(keys):
        content += struct.pack("<HBBII", *key, 2 * number + 1, 2 * number + 2) if key else bytes(12)
    return bytes([0, 0x41, _DATA_AT, 0x0B, len(content)]) + content


def parts(heap_base: int = 1000, pages: int = 1) -> dict[Kind, bytes]:
    """The sections of an engine with two kernels, whose functions return nothing."""
    return {
        Kind.TYPE: b"\x01\x60\x00\x00",
        Kind.FUNCTION: bytes([len(BODIES), *[0] * len(BODIES)]),
        Kind.TABLE: b"\x01\x70\x01\x06\x06",
        Kind.MEMORY: write_memory(Limits(pages, None)),
        Kind.GLOBAL: b"\x03"
        + b"".join(
            b"\x7f\x00\x41" + write_i32(value) + b"\x0b"
            for value in (heap_base, _ARRAY_AT, _DATA_AT)
        ),
        Kind.EXPORT: write_exports(EXPORTED),
        Kind.ELEMENT: b"\x01\x00\x41\x01\x0b\x05\x01\x02\x03\x04\x06",
        Kind.CODE: write_bodies(BODIES),
        Kind.DATA: b"\x01" + data_segment(),
    }


def engine(changed: dict[Kind, bytes | None] | None = None, **arguments: int) -> bytes:
    """A module of those sections, some replaced or, as None, left out."""
    found = parts(**arguments) | (changed or {})
    order = (*range(1, 10), Kind.DATA_COUNT, Kind.CODE, Kind.DATA)
    kinds = [Kind(number) for number in order if found.get(Kind(number)) is not None]
    return write(Section(kind, found[kind]) for kind in kinds)


def plan(arena_bytes: int = 100, behind: int = 30, **changes: int) -> bytes:
    """A header and bytes behind it; `join` looks no further."""
    length = HEADER_BYTES + behind
    header = Header(MAGIC, 1, 0, 0, length, 0, arena_bytes, *[0] * 12)
    return replace(header, **changes).pack() + bytes(range(behind))


def refusal(call: Callable[[], object]) -> str:
    """Why a call refused; empty if it did not. Any other exception is a fault."""
    try:
        call()
    except ModelRefused as error:
        return str(error)
    return ""
