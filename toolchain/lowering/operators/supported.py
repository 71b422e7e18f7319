"""Which operators can be lowered with which element types."""

from dataclasses import dataclass

from toolchain.lowering.operators.table import LOWERINGS
from toolchain.lowering.operators.table_f32 import FLOAT_LOWERINGS
from toolchain.lowering.operators.table_s16 import INT16_LOWERINGS
from toolchain.lowering.uint8 import SUPPORTED
from toolchain.memory.lifetimes import ALIASES

ANY_TYPE = frozenset(
    {"CONCATENATION", "PACK", "PAD", "PADV2", "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SPLIT"}
    | {"SPLIT_V", "STRIDED_SLICE", "TRANSPOSE", "UNPACK"}
)
"""Operators of LOWERINGS that only move elements."""
STATE = frozenset({"ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE"})
"""Operators of streaming models, which become copies or nothing (`lowering/variables.py`)."""
_BORDERS = frozenset({"DEQUANTIZE", "QUANTIZE"})


@dataclass(frozen=True, slots=True)
class Supported:
    """One operator, and whether it has any type, int8, uint8, int16 and float32."""

    name: str
    has: tuple[bool, bool, bool, bool, bool]


def supported() -> tuple[Supported, ...]:
    """List all operators that can be lowered, by name."""
    anything = ANY_TYPE | ALIASES | STATE
    names = sorted({*LOWERINGS, *FLOAT_LOWERINGS, *INT16_LOWERINGS, *anything})
    return tuple(
        Supported(
            name,
            (
                name in anything,
                name in anything or name in LOWERINGS,
                name in STATE or name in SUPPORTED,
                name in anything or name in INT16_LOWERINGS,
                name in anything or name in FLOAT_LOWERINGS or name in _BORDERS,
            ),
        )
        for name in names
    )
