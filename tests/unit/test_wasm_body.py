"""Proof of code for an interpreter that trusts it: what is valid passes, what is not does not."""

import pytest

from agent.errors import ModelError
from agent.runtime.wasm.body import MAX_LOCALS, MAX_TARGETS, check_bodies
from agent.runtime.wasm.operands import MAX_DEPTH, MAX_OPERANDS
from agent.runtime.wasm.sealed import seal
from tests.support.wasm_text import (
    ENDLESS_RECURSION,
    F32,
    F64,
    FOREVER,
    GROW,
    I32,
    I64,
    V128,
    Made,
    const,
    signature,
)
from toolchain.convert.leb128 import write_u32

TYPES = (signature((), (I32,)), signature((I32,), (I32,)), signature((I64, F32), ()))
ZERO = const(0)
F32_ZERO = b"\x43" + bytes(4)
F64_ZERO = b"\x44" + bytes(8)
I64_ZERO = b"\x42\0"
DROP, END, ELSE, BR, RETURN, IF, BLOCK, LOOP = (
    b"\x1a",
    b"\x0b",
    b"\5",
    b"\x0c",
    b"\x0f",
    b"\4",
    b"\2",
    b"\3",
)
EMPTY = b"\x40"


def check(body: bytes, **parts) -> None:
    made = Made(
        invoke=body,
        types=TYPES,
        tables=b"\1\x70\0\1",
        globals=b"\2\x7f\1" + ZERO + END + b"\x7f\0" + ZERO + END,
        **parts,
    )
    module = seal(made.bytes())
    check_bodies(module.data, module.module)


GOOD = {
    "nothing but a number": ZERO,
    "loop": FOREVER,
    "recursion": ENDLESS_RECURSION,
    "unreachable": b"\0",
    "nop": b"\1" + ZERO,
    "block": BLOCK + b"\x7f" + ZERO + END,
    "branch with a value": BLOCK + b"\x7f" + ZERO + BR + b"\0" + END,
    "branch to a loop takes nothing": LOOP + b"\x7f" + BR + b"\0" + END,
    "branch out of the function": ZERO + BR + b"\0",
    "return": ZERO + RETURN,
    "return out of a block": BLOCK + b"\x7f" + ZERO + RETURN + END,
    "if": ZERO + IF + EMPTY + END + ZERO,
    "if else": ZERO + IF + b"\x7f" + ZERO + ELSE + ZERO + END,
    "if else, both dead": ZERO + IF + b"\x7f" + b"\0" + ELSE + b"\0" + END,
    "br_if keeps the value": BLOCK + b"\x7f" + ZERO + ZERO + b"\x0d\0" + END,
    "br_table": BLOCK + EMPTY + ZERO + b"\x0e\1\0\0" + END + ZERO,
    "br_table with a value": BLOCK + b"\x7f" + ZERO + ZERO + b"\x0e\0\0" + END,
    "call": ZERO + b"\x10\2",
    "call_indirect": I64_ZERO + F32_ZERO + ZERO + b"\x11\2\0" + ZERO,
    "select": F32_ZERO + F32_ZERO + ZERO + b"\x1b" + b"\xa8",
    "globals": ZERO + b"\x24\0" + b"\x23\1",
    "memory.size": b"\x3f\0",
    "memory.copy": ZERO * 3 + b"\xfc\x0a\0\0" + ZERO,
    "memory.fill": ZERO * 3 + b"\xfc\x0b\0" + ZERO,
    "saturation": F64_ZERO + b"\xfc\2",
    "sign extension": ZERO + b"\xc0",
    "load and store": ZERO + ZERO + b"\x28\2\0" + b"\x36\0\x10" + ZERO,
    "i64.store": ZERO + I64_ZERO + b"\x37\3\0" + ZERO,
}


@pytest.mark.parametrize("name", GOOD)
def test_valid_code_passes(name):
    check(GOOD[name])


BAD = {
    "nothing": (b"", "an operand is missing"),
    "another type": (I64_ZERO, "of another type"),
    "too much": (ZERO + ZERO, "leaves more than its type says"),
    "too little": (b"\x6a" + ZERO, "an operand is missing"),
    "from outside the block": (ZERO + BLOCK + EMPTY + DROP + END, "an operand is missing"),
    "from outside, typed": (ZERO + BLOCK + EMPTY + b"\x45" + DROP + END + ZERO, "missing"),
    "dead code": (b"\0" + ZERO, "code that can never run"),
    "dead code behind a branch": (ZERO + BR + b"\0" + ZERO, "code that can never run"),
    "a block too far": (ZERO + BR + b"\1", "1 is more than 0"),
    "a value for a branch": (BLOCK + b"\x7f" + BR + b"\0" + END, "an operand is missing"),
    "an if without else": (ZERO + IF + b"\x7f" + ZERO + END, "an if without else"),
    "else without if": (BLOCK + b"\x7f" + ZERO + ELSE + ZERO + END, "else without if"),
    "unlike targets": (
        BLOCK + b"\x7f" + BLOCK + EMPTY + ZERO + ZERO + b"\x0e\1\0\1" + END + ZERO + END,
        "take different types",
    ),
    "a block of a type by number": (BLOCK + b"\0" + END + ZERO, "a block of type 0x0"),
    "a local that is none": (b"\x20\0", "0 is more than -1"),
    "a global that is none": (b"\x23\2", "2 is more than 1"),
    "a constant": (ZERO + b"\x24\1" + ZERO, "a constant is written"),
    "a function that is none": (b"\x10\5", "5 is more than 4"),
    "another table": (ZERO + b"\x11\0\1", "a table's number must be 0x0"),
    "unlike operands of select": (ZERO + I64_ZERO + ZERO + b"\x1b", "of another type"),
    "an alignment": (ZERO + b"\x28\3\0", "3 is more than 2"),
    "f32 into memory.fill": (ZERO + F32_ZERO + ZERO + b"\xfc\x0b\0" + ZERO, "of another type"),
    "memory.grow": (GROW, "uses memory.grow at byte"),
    "memory.init": (ZERO * 3 + b"\xfc\x08\0\0" + ZERO, "uses instruction 0xfc 8"),
    "SIMD": (b"\xfd\x0c" + bytes(16) + DROP + ZERO, "uses SIMD at byte"),
    "threads": (b"\xfe\0", "uses instruction 0xfe"),
    "references": (b"\xd0\x70" + DROP + ZERO, "uses instruction 0xd0"),
    "typed select": (ZERO * 3 + b"\x1c\1\x7f", "uses instruction 0x1c"),
    "no end": (ZERO + BLOCK + EMPTY, "ends too early"),
    "more behind the end": (ZERO + END + b"\1", "bytes too many"),
    "a number too long": (b"\x41\xff\xff\xff\xff\x0f", "a number of more than 32 bits"),
    "a float cut off": (b"\x43\0", "bytes are said to follow"),
    "deep": ((BLOCK + EMPTY) * MAX_DEPTH + END * MAX_DEPTH + ZERO, "more than 200 deep"),
    "high": (
        ZERO * (MAX_OPERANDS + 1) + DROP * MAX_OPERANDS,
        "more than 500 operands",
    ),
    "wide": (
        ZERO + b"\x0e" + write_u32(MAX_TARGETS + 1) + b"\0" * (MAX_TARGETS + 2),
        "1001 is more than 1000",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_other_code_is_refused_with_its_place(name):
    body, text = BAD[name]
    with pytest.raises(ModelError) as caught:
        check(body)
    assert text in str(caught.value)
    assert "byte" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_locals_have_their_types():
    check(
        b"\x20\0\x1a\x20\1\x1a\x20\2\x1a\x20\3",
        invoke_locals=((1, I64), (1, F32), (1, F64), (1, I32)),
    )
    check(ZERO + b"\x22\0\x1a\x20\0", invoke_locals=((1, I32),))
    for body in (b"\x20\0", I64_ZERO + b"\x21\1" + ZERO):
        with pytest.raises(ModelError, match="of another type"):
            check(body, invoke_locals=((1, I64), (1, I32)))


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        (((MAX_LOCALS, I32), (1, I32)), "more than 1000 locals"),
        (((1 << 31, I32),), "2147483648 is more than 1000"),
        (((1, V128),), "a local of type 0x7b"),
        (((0, 0x6F),), "a local of type 0x6f"),
    ],
)
def test_locals_are_bounded_before_they_are_made(declared, text):
    with pytest.raises(ModelError, match=text):
        check(ZERO, invoke_locals=declared)


def test_without_a_table_nothing_is_called_through_it():
    module = seal(Made(invoke=ZERO + b"\x11\0\0").bytes())
    with pytest.raises(ModelError, match="there is no table"):
        check_bodies(module.data, module.module)
