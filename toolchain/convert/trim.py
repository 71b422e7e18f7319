"""Leaves out of an engine the kernels that a plan does not use.

A kernel's functions are known to nobody but its record, whose fields `engine/core/kernel.h` gives.
The records that no operator asks for are wiped out, so that the engine does not know these
operators any more; then every function that nobody can reach becomes a trap of three bytes.
Numbers of functions and places in the table stay what they are.
"""

import struct
from dataclasses import dataclass

from toolchain.convert.code import TRAP, References, read_bodies, references, write_bodies
from toolchain.convert.contents import Export, read_elements, read_segments, write_segments
from toolchain.convert.sections import Kind
from toolchain.errors import ModelRefused

KERNELS, COUNT = b"sv_kernels", b"sv_kernel_count"
_RECORD = struct.Struct("<HBBII")
_FUNCTION = 0
Key = tuple[int, int, int]
"""Opcode, version and layout."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What is looked through: the module's exports, and the addresses that some of them name."""

    exports: tuple[Export, ...]
    kernels: int
    count: int


def trim(parts: dict[Kind, bytes], engine: Engine, used: frozenset[Key]) -> dict[Kind, bytes]:
    """The sections of an engine without the kernels that are not `used`.

    Raises:
        ModelRefused: the engine's kernels are not where it says.
    """
    memory = _Memory(parts[Kind.DATA])
    table = read_elements(parts[Kind.ELEMENT])
    (count,) = memory.read(struct.Struct("<I"), engine.count)
    of_kernels: set[int] = set()
    alive: set[int] = set()
    for number in range(count):
        (record,) = memory.read(struct.Struct("<I"), engine.kernels + 4 * number)
        *key, check, run = memory.read(_RECORD, record)
        if not {check, run} <= table.keys():
            raise ModelRefused("engine: its kernels are not where it says; build it again")
        functions = {table[check], table[run]}
        of_kernels |= functions
        if tuple(key) in used:
            alive |= functions
        else:
            memory.write(record, bytes(_RECORD.size))
    bodies = read_bodies(parts[Kind.CODE])
    found = [references(body) for body in bodies]
    alive |= {one.index for one in engine.exports if one.kind == _FUNCTION}
    alive |= {table[word] for word in memory.words() if word in table} - of_kernels
    free = {place: function for place, function in table.items() if function not in of_kernels}
    reached = _reach(alive, found, free)
    kept = [body if number in reached else TRAP for number, body in enumerate(bodies)]
    return parts | {Kind.CODE: write_bodies(kept), Kind.DATA: memory.payload()}


def _reach(alive: set[int], found: list[References], table: dict[int, int]) -> set[int]:
    """Functions that are called, or whose place in the table is a constant, from `alive` on."""
    reached: set[int] = set()
    waiting = list(alive)
    while waiting:
        number = waiting.pop()
        if number in reached:
            continue
        if number >= len(found):
            raise ModelRefused(f"wasm: function {number} of {len(found)} does not exist")
        reached.add(number)
        waiting += found[number].calls
        waiting += [table[place] for place in found[number].constants & table.keys()]
    return reached


class _Memory:
    """What the data segments put into memory, to be read and changed."""

    def __init__(self, payload: bytes) -> None:
        self._segments = [(start, bytearray(data)) for start, data in read_segments(payload)]

    def read(self, record: struct.Struct, address: int) -> tuple[int, ...]:
        start, data = self._segment(address, record.size)
        return record.unpack_from(data, address - start)

    def write(self, address: int, piece: bytes) -> None:
        start, data = self._segment(address, len(piece))
        data[address - start : address - start + len(piece)] = piece

    def words(self) -> set[int]:
        """All numbers of four bytes that are aligned."""
        found: set[int] = set()
        for start, data in self._segments:
            skipped = -start % 4
            found.update(struct.unpack_from(f"<{(len(data) - skipped) // 4}I", data, skipped))
        return found

    def payload(self) -> bytes:
        return write_segments([(start, bytes(data)) for start, data in self._segments])

    def _segment(self, address: int, size: int) -> tuple[int, bytearray]:
        for start, data in self._segments:
            if start <= address and address + size <= start + len(data):
                return start, data
        raise ModelRefused("engine: its kernels are not where it says; build it again")
