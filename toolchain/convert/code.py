"""Function bodies of a wasm module, and what a body refers to."""

from dataclasses import dataclass

from toolchain.convert.leb128 import read_i32, read_u32, write_u32
from toolchain.errors import ModelRefused

TRAP = b"\x00\x00\x0b"
"""A body without locals that ends at once: unreachable."""
_CALL, _BR_TABLE, _I32_CONST, _BULK, _SIMD = 0x10, 0x0E, 0x41, 0xFC, 0xFD
# How many numbers, or bytes, stand behind an instruction; those not named have none.
_NUMBERS = {
    **dict.fromkeys((0x02, 0x03, 0x04, 0x0C, 0x0D, _CALL), 1),
    **dict.fromkeys(range(0x20, 0x25), 1),
    **dict.fromkeys(range(0x28, 0x3F), 2),
    **dict.fromkeys((0x3F, 0x40, _I32_CONST, 0x42), 1),
    0x11: 2,
}
_BYTES = {0x43: 4, 0x44: 8}
_BULK_NUMBERS = {8: 2, 9: 1, 10: 2, 11: 1, 12: 2, 13: 1, 14: 2, 15: 1, 16: 1, 17: 1}
_SIMD_NUMBERS = dict.fromkeys((*range(12), *range(84, 94)), 2)
_SIMD_BYTES = {12: 16, 13: 16, **dict.fromkeys((*range(21, 35), *range(84, 92)), 1)}


@dataclass(frozen=True, slots=True)
class References:
    """What a body calls, and the i32 constants in it, which may be places in the table."""

    calls: frozenset[int]
    constants: frozenset[int]


def read_bodies(payload: bytes) -> list[bytes]:
    """The bodies of a code section.

    Raises:
        ModelRefused: one lies outside the section.
    """
    data = memoryview(payload)
    count, at = read_u32(data, 0)
    bodies: list[bytes] = []
    while len(bodies) < count:
        length, at = read_u32(data, at)
        if length > len(data) - at:
            raise ModelRefused(f"wasm: a function of {length} bytes lies outside its section")
        bodies.append(bytes(data[at : at + length]))
        at += length
    return bodies


def write_bodies(bodies: list[bytes]) -> bytes:
    """A code section."""
    parts = [write_u32(len(bodies))]
    for body in bodies:
        parts += [write_u32(len(body)), body]
    return b"".join(parts)


def references(body: bytes) -> References:
    """Walk through the instructions of a body.

    Raises:
        ModelRefused: a number has no end, or a constant does not fit.
    """
    data = memoryview(body)
    calls, constants = set(), set()
    start = at = _behind_locals(data)
    while at < len(data):
        code, at = data[at], at + 1
        numbers, skipped = _NUMBERS.get(code, 0), _BYTES.get(code, 0)
        if code == _BR_TABLE:
            numbers, at = read_u32(data, at)
            numbers += 1
        elif code in (_BULK, _SIMD):
            more, at = read_u32(data, at)
            numbers = (_BULK_NUMBERS if code == _BULK else _SIMD_NUMBERS).get(more, 0)
            skipped = _SIMD_BYTES.get(more, 0) if code == _SIMD else 0
        for _ in range(numbers):
            start, at = at, _behind_number(data, at)
        at += skipped
        if code == _CALL:
            calls.add(read_u32(data, start)[0])
        elif code == _I32_CONST:
            constants.add(read_i32(data, start)[0])
    return References(frozenset(calls), frozenset(constants))


def _behind_locals(data: memoryview) -> int:
    groups, at = read_u32(data, 0)
    for _ in range(groups):
        _, at = read_u32(data, at)
        at += 1
    return at


def _behind_number(data: memoryview, at: int) -> int:
    while at < len(data) and data[at] >= 0x80:
        at += 1
    if at >= len(data):
        raise ModelRefused("wasm: a function ends within a number")
    return at + 1
