"""One self-contained module out of the prebuilt trainer and a network's description."""

import hashlib
import json
from dataclasses import asdict, dataclass

from broker.contract.version import VERSION
from toolchain.convert.contents import (
    GLOBAL,
    Limits,
    read_exports,
    read_globals,
    read_memory,
    read_segments,
    write_exports,
    write_memory,
    write_segments,
)
from toolchain.convert.join import PAGE_BYTES
from toolchain.convert.leb128 import write_u32
from toolchain.convert.sections import Kind, Section, read, write
from toolchain.errors import ModelRefused

EXPORTS = frozenset(
    (
        *(b"memory", b"sv_train_abi", b"sv_param_count", b"sv_params", b"sv_example_floats"),
        *(b"sv_label_kind", b"sv_output_floats", b"sv_batch_capacity", b"sv_examples"),
        *(b"sv_labels", b"sv_train", b"sv_evaluate", b"sv_correct", b"sv_outputs", b"sv_hyper"),
        *(b"sv_anchor", b"sv_control", b"sv_norms", b"sv_begin"),
    )
)
_HEAP_BASE = b"__heap_base"
_NEEDED = {Kind.TYPE, Kind.FUNCTION, Kind.MEMORY, Kind.GLOBAL, Kind.EXPORT, Kind.CODE}
_ALLOWED = _NEEDED | {Kind.TABLE, Kind.DATA}
_NAME = b"selvedge"
_ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class Label:
    """What a trainer says about itself; JSON in the section `selvedge`."""

    name: str
    engine: str
    engine_sha256: str
    network_sha256: str
    target: str


def join(engine: bytes, description: bytes, arena_bytes: int, name: str, target: str) -> bytes:
    """Put a description where the trainer looks for it, and fix the memory.

    Raises:
        ModelRefused: the engine is none.
    """
    parts = {one.kind: one.payload for one in read(engine) if one.kind is not Kind.CUSTOM}
    exports = read_exports(parts.get(Kind.EXPORT, b"\0"))
    heap = [one.index for one in exports if one.name == _HEAP_BASE and one.kind == GLOBAL]
    names = {one.name for one in exports}
    if not _NEEDED <= parts.keys() <= _ALLOWED or names != EXPORTS | {_HEAP_BASE} or not heap:
        raise ModelRefused("trainer: its engine is not one of ours; build it again")
    start = _aligned(read_globals(parts[Kind.GLOBAL])[heap[0]])
    pages = -(-(_aligned(start + len(description)) + arena_bytes) // PAGE_BYTES)
    pages = max(pages, read_memory(parts[Kind.MEMORY]).minimum)
    label = Label(name, VERSION, _sha256(engine), _sha256(description), target)
    text = json.dumps(asdict(label), ensure_ascii=False, separators=(",", ":"))
    segments = read_segments(parts.get(Kind.DATA, b"\0"))
    parts |= {
        Kind.MEMORY: write_memory(Limits(pages, pages)),
        Kind.EXPORT: write_exports(tuple(one for one in exports if one.name in EXPORTS)),
        Kind.DATA: write_segments([*segments, (start, description)]),
    }
    head = Section(Kind.CUSTOM, write_u32(len(_NAME)) + _NAME + text.encode(errors="replace"))
    return write([head, *(Section(kind, payload) for kind, payload in parts.items())])


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _aligned(address: int) -> int:
    return -(-address // _ALIGNMENT) * _ALIGNMENT
