"""What is in those sections of a wasm module that `convert` reads or changes."""

from dataclasses import dataclass

from toolchain.convert.leb128 import read_i32, read_u32, write_i32, write_u32
from toolchain.errors import ModelRefused

MEMORY, GLOBAL = 2, 3
"""Kinds of exports."""
_I32, _I32_CONST, _END = 0x7F, 0x41, 0x0B


@dataclass(frozen=True, slots=True)
class Limits:
    """How many pages of 64 KiB a memory has at its start and at most; None: no maximum."""

    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Export:
    """A name under which the host sees a function, memory or global."""

    name: bytes
    kind: int
    index: int


def read_memory(payload: bytes) -> Limits:
    """The limits of the one memory.

    Raises:
        ModelRefused: there is not exactly one, or it is shared or of 64 bits.
    """
    data = memoryview(payload)
    count, at = read_u32(data, 0)
    flags = _byte(data, at)
    if count != 1 or flags > 1:
        raise ModelRefused("wasm: only one memory of 32 bits that is not shared is known")
    minimum, at = read_u32(data, at + 1)
    maximum, at = read_u32(data, at) if flags else (None, at)
    _ends(data, at)
    return Limits(minimum, maximum)


def write_memory(limits: Limits) -> bytes:
    """A memory section with one memory."""
    if limits.maximum is None:
        return b"\x01\x00" + write_u32(limits.minimum)
    return b"\x01\x01" + write_u32(limits.minimum) + write_u32(limits.maximum)


def read_exports(payload: bytes) -> tuple[Export, ...]:
    """All exports.

    Raises:
        ModelRefused: a name or number lies outside the section.
    """
    data = memoryview(payload)
    count, at = read_u32(data, 0)
    found: list[Export] = []
    while len(found) < count:  # each takes bytes: a count that lies meets the end
        length, at = read_u32(data, at)
        if length > len(data) - at:
            raise ModelRefused(f"wasm: a name of {length} bytes lies outside its section")
        name, at = bytes(data[at : at + length]), at + length
        kind = _byte(data, at)
        index, at = read_u32(data, at + 1)
        found.append(Export(name, kind, index))
    _ends(data, at)
    return tuple(found)


def write_exports(exports: tuple[Export, ...]) -> bytes:
    """An export section."""
    parts = [write_u32(len(exports))]
    for one in exports:
        parts += [write_u32(len(one.name)), one.name, bytes([one.kind]), write_u32(one.index)]
    return b"".join(parts)


def read_globals(payload: bytes) -> tuple[int, ...]:
    """The values that the globals start with; all must be i32 constants.

    Raises:
        ModelRefused: another type, another expression, or truncated.
    """
    data = memoryview(payload)
    count, at = read_u32(data, 0)
    found: list[int] = []
    while len(found) < count:
        if _byte(data, at) != _I32 or _byte(data, at + 1) > 1 or _byte(data, at + 2) != _I32_CONST:
            raise ModelRefused(f"wasm: global {len(found)} is not an i32 constant")
        value, at = read_i32(data, at + 3)
        if _byte(data, at) != _END:
            raise ModelRefused(f"wasm: global {len(found)} is not an i32 constant")
        at += 1
        found.append(value)
    _ends(data, at)
    return tuple(found)


def read_segments(payload: bytes) -> list[tuple[int, bytes]]:
    """The data segments: the address of each, and what is copied there at the start.

    Raises:
        ModelRefused: one has no constant address, or lies outside the section.
    """
    data = memoryview(payload)
    count, at = read_u32(data, 0)
    found: list[tuple[int, bytes]] = []
    while len(found) < count:
        address, at = _place(data, at)
        length, at = read_u32(data, at)
        if length > len(data) - at:
            raise ModelRefused(f"wasm: a segment of {length} bytes lies outside its section")
        found.append((address, bytes(data[at : at + length])))
        at += length
    _ends(data, at)
    return found


def write_segments(segments: list[tuple[int, bytes]]) -> bytes:
    """A data section."""
    parts = [write_u32(len(segments))]
    for address, content in segments:
        place = bytes([0, _I32_CONST]) + write_i32(address) + bytes([_END])
        parts += [place, write_u32(len(content)), content]
    return b"".join(parts)


def read_elements(payload: bytes) -> dict[int, int]:
    """The functions in the table by their place there.

    Raises:
        ModelRefused: a place is not constant, or the section is truncated.
    """
    data = memoryview(payload)
    count, at = read_u32(data, 0)
    found: dict[int, int] = {}
    for _ in range(count):
        first, at = _place(data, at)
        functions, at = read_u32(data, at)
        for place in range(first, first + functions):
            found[place], at = read_u32(data, at)
    _ends(data, at)
    return found


def _place(data: memoryview, at: int) -> tuple[int, int]:
    if _byte(data, at) != 0 or _byte(data, at + 1) != _I32_CONST:
        raise ModelRefused("wasm: a segment without a constant address")
    place, at = read_i32(data, at + 2)
    if _byte(data, at) != _END:
        raise ModelRefused("wasm: a segment without a constant address")
    return place, at + 1


def _byte(data: memoryview, at: int) -> int:
    if at >= len(data):
        raise ModelRefused("wasm: a section ends too early")
    return data[at]


def _ends(data: memoryview, at: int) -> None:
    if at != len(data):
        raise ModelRefused(f"wasm: {len(data) - at} bytes too many in a section")
