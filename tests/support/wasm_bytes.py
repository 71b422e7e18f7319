"""Hand-made wasm: the smallest engine that can be joined, and a plan's header."""

from collections.abc import Callable
from dataclasses import replace

from toolchain.convert.contents import GLOBAL, MEMORY, Export, Limits, write_exports, write_memory
from toolchain.convert.join import EXPORTS
from toolchain.convert.label import Label
from toolchain.convert.leb128 import write_i32
from toolchain.convert.sections import Kind, Section, write
from toolchain.errors import ModelRefused
from toolchain.plan.layout import HEADER_BYTES, Header
from toolchain.plan.numbers import MAGIC

LABEL = Label("m", "1.2.3", "00", "11", "double", "scalar")
FUNCTIONS = sorted(EXPORTS - {b"memory"})
EXPORTED = (
    Export(b"memory", MEMORY, 0),
    Export(b"__heap_base", GLOBAL, 0),
    *(Export(name, 0, 0) for name in FUNCTIONS),
)


def parts(heap_base: int = 1000, pages: int = 1) -> dict[Kind, bytes]:
    """The sections of an engine whose one function returns nothing."""
    return {
        Kind.TYPE: b"\x01\x60\x00\x00",
        Kind.FUNCTION: b"\x01\x00",
        Kind.MEMORY: write_memory(Limits(pages, None)),
        Kind.GLOBAL: b"\x01\x7f\x00\x41" + write_i32(heap_base) + b"\x0b",
        Kind.EXPORT: write_exports(EXPORTED),
        Kind.CODE: b"\x01\x02\x00\x0b",
        Kind.DATA: b"\x01\x00\x41\x08\x0b\x02hi",
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
