"""What each instruction takes from the stack and leaves there: wasm 1.0, and what LLVM adds to it.

Sign extension, saturating float to integer, `memory.copy` and `memory.fill`; not more, because
wasm3 0.5.0 has not more. https://webassembly.github.io/spec/core/binary/instructions.html
"""

from agent.runtime.wasm.module import F32, F64, I32, I64

Effect = tuple[tuple[int, ...], int | None]
"""Types that are taken, the last from the top, and the one that is left."""


def _numeric() -> dict[int, Effect]:
    found: dict[int, Effect] = {0x45: ((I32,), I32), 0x50: ((I64,), I32)}

    def several(first: int, last: int, taken: tuple[int, ...], left: int) -> None:
        found.update(dict.fromkeys(range(first, last + 1), (taken, left)))

    several(0x46, 0x4F, (I32, I32), I32)  # comparisons
    several(0x51, 0x5A, (I64, I64), I32)
    several(0x5B, 0x60, (F32, F32), I32)
    several(0x61, 0x66, (F64, F64), I32)
    several(0x67, 0x69, (I32,), I32)  # clz, ctz, popcnt; then arithmetic
    several(0x6A, 0x78, (I32, I32), I32)
    several(0x79, 0x7B, (I64,), I64)
    several(0x7C, 0x8A, (I64, I64), I64)
    several(0x8B, 0x91, (F32,), F32)
    several(0x92, 0x98, (F32, F32), F32)
    several(0x99, 0x9F, (F64,), F64)
    several(0xA0, 0xA6, (F64, F64), F64)
    several(0xA7, 0xA7, (I64,), I32)  # conversions
    several(0xA8, 0xA9, (F32,), I32)
    several(0xAA, 0xAB, (F64,), I32)
    several(0xAC, 0xAD, (I32,), I64)
    several(0xAE, 0xAF, (F32,), I64)
    several(0xB0, 0xB1, (F64,), I64)
    several(0xB2, 0xB3, (I32,), F32)
    several(0xB4, 0xB5, (I64,), F32)
    several(0xB6, 0xB6, (F64,), F32)
    several(0xB7, 0xB8, (I32,), F64)
    several(0xB9, 0xBA, (I64,), F64)
    several(0xBB, 0xBB, (F32,), F64)
    several(0xBC, 0xBC, (F32,), I32)
    several(0xBD, 0xBD, (F64,), I64)
    several(0xBE, 0xBE, (I32,), F32)
    several(0xBF, 0xBF, (I64,), F64)
    several(0xC0, 0xC1, (I32,), I32)
    several(0xC2, 0xC4, (I64,), I64)
    return found


NUMERIC = _numeric()

SATURATING: dict[int, Effect] = {
    **dict.fromkeys((0, 1), ((F32,), I32)),
    **dict.fromkeys((2, 3), ((F64,), I32)),
    **dict.fromkeys((4, 5), ((F32,), I64)),
    **dict.fromkeys((6, 7), ((F64,), I64)),
}
"""Behind the prefix 0xFC."""

_LOADED = (
    *((I32, 2), (I64, 3), (F32, 2), (F64, 3)),
    *((I32, 0), (I32, 0), (I32, 1), (I32, 1)),
    *((I64, 0), (I64, 0), (I64, 1), (I64, 1), (I64, 2), (I64, 2)),
)
_STORED = (
    *((I32, 2), (I64, 3), (F32, 2), (F64, 3)),
    *((I32, 0), (I32, 1), (I64, 0), (I64, 1), (I64, 2)),
)
ACCESSES: dict[int, tuple[Effect, int]] = {
    **{0x28 + place: (((I32,), kind), log2) for place, (kind, log2) in enumerate(_LOADED)},
    **{0x36 + place: (((I32, kind), None), log2) for place, (kind, log2) in enumerate(_STORED)},
}
"""Loads and stores, with the largest alignment that they may claim, as a power of two."""

UNREACHABLE, NOP, BLOCK, LOOP, IF, ELSE, END = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0B
BR, BR_IF, BR_TABLE, RETURN, CALL, CALL_INDIRECT = range(0x0C, 0x12)
DROP, SELECT = 0x1A, 0x1B
LOCAL_GET, LOCAL_SET, LOCAL_TEE, GLOBAL_GET, GLOBAL_SET = range(0x20, 0x25)
MEMORY_SIZE, MEMORY_GROW = 0x3F, 0x40
I32_CONST, I64_CONST, F32_CONST, F64_CONST = range(0x41, 0x45)
PREFIX, VECTOR = 0xFC, 0xFD
MEMORY_COPY, MEMORY_FILL = 10, 11
EMPTY = 0x40
"""The type of a block that leaves nothing."""
