"""A wasm module as its list of sections: the frame around what is in them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from toolchain.convert.leb128 import read_u32, write_u32
from toolchain.errors import ModelRefused

PREAMBLE = b"\0asm\x01\0\0\0"


class Kind(IntEnum):
    """The numbers of the sections."""

    CUSTOM = 0
    TYPE = 1
    IMPORT = 2
    FUNCTION = 3
    TABLE = 4
    MEMORY = 5
    GLOBAL = 6
    EXPORT = 7
    START = 8
    ELEMENT = 9
    CODE = 10
    DATA = 11
    DATA_COUNT = 12


# The order in which they stand, each at most once; custom sections stand anywhere.
_PLACES = {
    kind: place
    for place, kind in enumerate(
        (
            *(Kind.TYPE, Kind.IMPORT, Kind.FUNCTION, Kind.TABLE, Kind.MEMORY, Kind.GLOBAL),
            *(Kind.EXPORT, Kind.START, Kind.ELEMENT, Kind.DATA_COUNT, Kind.CODE, Kind.DATA),
        )
    )
}


@dataclass(frozen=True, slots=True)
class Section:
    """One section; the payload is what stands behind its length."""

    kind: Kind
    payload: bytes


def read(module: bytes) -> tuple[Section, ...]:
    """Split a module into its sections.

    Raises:
        ModelRefused: no wasm module, truncated, or sections that are unknown or out of order.
    """
    data = memoryview(module)
    if data[: len(PREAMBLE)] != PREAMBLE:
        raise ModelRefused("not a wasm module: it does not begin with '\\0asm' and version 1")
    found, at, place = [], len(PREAMBLE), -1
    while at < len(data):
        kind = _kind(data[at], at)
        length, start = read_u32(data, at + 1)
        if length > len(data) - start:
            raise ModelRefused(
                f"wasm: the section at byte {at} has {length} bytes, {len(data) - start} are there"
            )
        if kind is not Kind.CUSTOM:
            if _PLACES[kind] <= place:
                raise ModelRefused(f"wasm: the {kind.name} section at byte {at} is out of order")
            place = _PLACES[kind]
        at = start + length
        found.append(Section(kind, bytes(data[start:at])))
    return tuple(found)


def write(sections: Iterable[Section]) -> bytes:
    """Join sections to a module; `read` gives them back."""
    parts = [PREAMBLE]
    for section in sections:
        parts += [bytes([section.kind]), write_u32(len(section.payload)), section.payload]
    return b"".join(parts)


def _kind(number: int, at: int) -> Kind:
    try:
        return Kind(number)
    except ValueError:
        raise ModelRefused(f"wasm: section number {number} at byte {at} is unknown") from None
