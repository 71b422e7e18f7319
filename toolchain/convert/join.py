"""One self-contained module out of the prebuilt engine and a plan."""

from toolchain.convert.contents import (
    GLOBAL,
    MEMORY,
    Export,
    Limits,
    read_exports,
    read_globals,
    read_memory,
    read_segments,
    write_exports,
    write_memory,
    write_segments,
)
from toolchain.convert.label import Label, to_section
from toolchain.convert.sections import Kind, Section, read, write
from toolchain.convert.trim import COUNT, KERNELS, Engine, Key, trim
from toolchain.errors import ModelRefused
from toolchain.plan.layout import HEADER_BYTES, OPERATOR_BYTES, Header, OperatorRecord
from toolchain.plan.numbers import ALIGNMENT_BYTES, MAGIC

EXPORTS = frozenset(
    (b"memory", b"sv_abi", b"sv_input", b"sv_output", b"sv_invoke", b"sv_reset", b"sv_describe")
)
PAGE_BYTES = 65536
MAX_PAGES = 32768
"""2 GiB: as much as wasm3 gives."""
_HEAP_BASE = b"__heap_base"
_TOLD = frozenset((_HEAP_BASE, KERNELS, COUNT))
_NEEDED = {Kind.TYPE, Kind.FUNCTION, Kind.MEMORY, Kind.GLOBAL, Kind.EXPORT, Kind.CODE, Kind.DATA}
_NEEDED |= {Kind.TABLE, Kind.ELEMENT}
_ALLOWED = _NEEDED


def join(engine: bytes, plan: bytes, label: Label) -> bytes:
    """Put a plan where the engine looks for it, and fix the memory; equal input, equal bytes.

    Kernels that the plan does not use are left out.

    The plan becomes a data segment at the first multiple of 16 from the engine's `__heap_base`, the
    arena follows at the next one, and memory is as many pages as that takes, never more.

    Raises:
        ModelRefused: the engine or the plan is not one, or they need more than 2 GiB.
    """
    parts = _parts(read(engine))
    exports = read_exports(parts[Kind.EXPORT])
    places = _places(exports, read_globals(parts[Kind.GLOBAL]))
    start = _aligned(places[_HEAP_BASE])
    pages = _pages(_aligned(start + len(plan)) + _arena_bytes(plan))
    if read_memory(parts[Kind.MEMORY]).minimum > pages:
        raise ModelRefused("engine: its memory is larger than what it uses; build it again")
    kept = tuple(one for one in exports if one.name in EXPORTS)
    parts = trim(parts, Engine(kept, places[KERNELS], places[COUNT]), _used(plan))
    changed = parts | {
        Kind.MEMORY: write_memory(Limits(pages, pages)),
        Kind.EXPORT: write_exports(kept),
        Kind.DATA: write_segments([*read_segments(parts[Kind.DATA]), (start, plan)]),
    }
    return write([to_section(label), *(Section(kind, changed[kind]) for kind in parts)])


def _parts(sections: tuple[Section, ...]) -> dict[Kind, bytes]:
    """Payloads by kind, in the module's order; an engine imports nothing and starts nothing."""
    parts: dict[Kind, bytes] = {
        one.kind: one.payload for one in sections if one.kind is not Kind.CUSTOM
    }
    if wrong := sorted((parts.keys() - _ALLOWED) | (_NEEDED - parts.keys())):
        names = ", ".join(kind.name for kind in wrong)
        raise ModelRefused(f"engine: sections lacking or not allowed: {names}; build it again")
    return parts


def _places(exports: tuple[Export, ...], values: tuple[int, ...]) -> dict[bytes, int]:
    """The addresses that the engine tells by globals: where its own memory ends, its kernels."""
    kinds = {one.name: one.kind for one in exports}
    places = {one.name: one.index for one in exports if one.kind == GLOBAL}
    if (
        kinds.keys() != EXPORTS | _TOLD
        or len(exports) != len(kinds)
        or frozenset(places) != _TOLD
        or kinds[b"memory"] != MEMORY
        or max(places.values()) >= len(values)
        or not all(0 < values[index] <= PAGE_BYTES * MAX_PAGES for index in places.values())
    ):
        raise ModelRefused("engine: its exports are not those of an engine; build it again")
    return {name: values[index] for name, index in places.items()}


def _used(plan: bytes) -> frozenset[Key]:
    """The kernels that a plan asks for."""
    header = Header.unpack(memoryview(plan))
    starts = [header.operators + OPERATOR_BYTES * i for i in range(header.operator_count)]
    if starts and starts[-1] + OPERATOR_BYTES > len(plan):
        raise ModelRefused("plan: its operators lie outside; convert the model again")
    records = [OperatorRecord.unpack(memoryview(plan), start) for start in starts]
    return frozenset((one.opcode, one.version, one.layout) for one in records)


def _arena_bytes(plan: bytes) -> int:
    if len(plan) < HEADER_BYTES:
        raise ModelRefused(f"plan: {len(plan)} bytes, less than a header; convert the model again")
    header = Header.unpack(memoryview(plan))
    if header.magic != MAGIC or header.length != len(plan):
        raise ModelRefused("plan: its header is not that of a whole plan; convert the model again")
    return header.arena_bytes


def _pages(end: int) -> int:
    pages = -(-end // PAGE_BYTES)
    if pages > MAX_PAGES:
        raise ModelRefused(f"the model needs {end} bytes of memory; a module has at most 2 GiB")
    return pages


def _aligned(address: int) -> int:
    return -(-address // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
