"""What a module must be before any runtime sees it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ModelError
from agent.runtime.wasm.reading import Reader
from agent.runtime.wasm.sealed import MAX_MEMORY_BYTES, needs_simd, seal
from agent.runtime.wasm.sections import split
from tests.support.wasm_text import (
    F32,
    F64,
    I32,
    I64,
    IMPORT,
    V128,
    Made,
    const,
    section,
    signature,
    vector,
)
from toolchain.convert.leb128 import write_i32, write_u32

GOOD = Made().bytes()


def refusal(data: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        seal(data)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_module_that_behaves_is_taken():
    module = seal(GOOD)
    assert module.memory_bytes == 65536
    assert (module.target, module.macs, module.has_reset) == ("", None, False)
    first = module.segments[0]
    assert (first.address, module.data[first.start : first.end]) == (16, Made().table)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (Made(imports=IMPORT), "has an import section; link it without imports"),
        (Made(imports=b"\0"), "has an import section"),
        (Made(start=b"\4"), "has a start function"),
        (Made(pages=(1, None)), "may grow from 1 pages to any number"),
        (Made(pages=(1, 2)), "may grow from 1 pages to 2"),
        (Made(pages=(2, 1)), "at most 1 is less than at least 2"),
        (Made(pages=(4097, 4097)), f"wants 268500992 bytes of memory; the limit is {1 << 28}"),
        (Made(pages=(0, 0)), "data at 16 lies outside the memory"),
        (Made(memories=2), "has 2 memories, not one"),
        (Made(segments=((65535, b"ab"),)), "data at 65535 lies outside the memory"),
        (Made(segments=((-1, b""),)), "data at 4294967295 lies outside"),
        (Made(exports=Made().exports[1:]), "does not export its memory"),
        (Made(exports=Made().exports[:-1]), "does not export the function sv_invoke"),
        (Made(exports=(*Made().exports, ("memory", 2, 0))), "export 'memory' is unknown or twice"),
        (Made(exports=(*Made().exports, ("x", 0, 5))), "export 5 of 5"),
        (Made(exports=(*Made().exports, ("sv_reset", 2, 0))), "function sv_reset"),
        (Made(functions=(0, 0, 1, 1, 1)), "sv_invoke takes or returns something else than i32"),
        (Made(functions=(0, 0, 1, 1, 2)), "type 2 of 2"),
        (Made(types=(signature((), (I64,)), signature((I32,), (I32,)))), "sv_abi takes or returns"),
        (Made(types=(b"\x61\0\0",)), "a type must be 0x60, not 0x61"),
        (Made(types=(signature((0x6F,), ()),)), "0x6f is not a type of numbers"),
        (Made(globals=b"\1\x7f\2" + const(0) + b"\x0b"), "2 does not say whether"),
        (Made(globals=b"\1\x7f\0\x23\0\x0b"), "a start value must be 0x41"),
        (Made(elements=b"\1\0" + const(0) + b"\x0b\1\0"), "1 elements at 0 lie outside the table"),
        (Made(tables=b"\1\x70\0\1", elements=b"\1\0" + const(0) + b"\x0b\1\5"), "function 5 of 5"),
        (Made(tables=b"\1\x70\0" + write_u32(1 << 31)), "2147483648 is more than 20000"),
        (Made(custom=(("\0", b""),) * 65), "more than 64 sections"),
    ],
)
def test_what_is_not_sealed_or_no_model_is_refused(made, text):
    assert text in refusal(made.bytes())


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\0asm\2\0\0\0", "does not begin with"),
        (GOOD + section(13, b""), "section 13 is unknown"),
        (GOOD + section(1, b"\0"), "the type section is out of order"),
        (GOOD[:-1], "bytes are said to follow"),
        (GOOD + b"\0\1\x80", "ends too early"),
        (GOOD + b"\0\2\1\xff", "a name is not UTF-8"),
        (GOOD + b"\0\xff\xff\xff\xff\x7f", "is more than 4294967295"),
        (GOOD + section(12, b"\0"), "the data count section is out of order"),
    ],
)
def test_what_is_damaged_is_refused_with_its_place(data, text):
    told = refusal(data)
    assert text in told
    assert told.startswith("is a damaged wasm module: byte ")


def test_every_truncation_is_refused():
    ends = {end for _, end in split(GOOD)[0].values()}  # there the data sections may be missing
    for length in range(len(GOOD)):
        if length not in ends:
            assert refusal(GOOD[:length])


@given(st.integers(8, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_a_refusal_or_still_sealed(at, change):
    data = bytearray(GOOD)
    data[at] ^= change
    try:
        module = seal(bytes(data))
    except ModelError:
        pass
    else:
        assert module.memory_bytes <= MAX_MEMORY_BYTES
        assert module.module.memory[0][0] == module.module.memory[0][1]


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_preamble_are_a_refusal(data):
    assert refusal(b"\0asm\1\0\0\0" + data)


def test_globals_of_every_type_are_read():
    several = vector(
        [
            bytes([I32, 1]) + const(-5) + b"\x0b",
            bytes([I64, 0]) + b"\x42\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x0b",
            bytes([F32, 1]) + b"\x43" + bytes(4) + b"\x0b",
            bytes([F64, 1]) + b"\x44" + bytes(8) + b"\x0b",
            bytes([V128, 1]) + b"\xfd\x0c" + bytes(16) + b"\x0b",
        ]
    )
    module = seal(Made(globals=several).bytes())
    assert [kind for kind, _ in module.module.globals] == [I32, I64, F32, F64, V128]
    assert needs_simd(module)


def test_the_label_is_read_and_never_trusted_to_be_one():
    def labelled(text: bytes):
        return seal(Made(custom=(("selvedge", text),)).bytes())

    module = labelled(json.dumps({"target": "simd", "macs": 12}).encode())
    assert (module.target, module.macs, needs_simd(module)) == ("simd", 12, True)
    for text in (b"", b"{", b"[" * 4000, b"[]", b'{"macs":-1}', b'{"macs":true}', b'{"macs":"1"}'):
        assert labelled(text).macs is None
    assert labelled(b'{"target":"simd"' + b" " * 5000 + b"}").target == ""


def test_the_core_is_the_module_without_what_does_not_run():
    module = seal(Made(custom=(("name", b"x" * 100), ("selvedge", b"{}"))).bytes())
    assert module.core == GOOD
    assert seal(GOOD).core == GOOD


@given(st.integers(0, (1 << 32) - 1))
def test_unsigned_numbers_are_read_as_they_are_written(value):
    assert Reader(write_u32(value)).unsigned() == value


@given(st.integers(-(1 << 31), (1 << 31) - 1))
def test_signed_numbers_are_read_as_they_are_written(value):
    assert Reader(write_i32(value)).signed(32) == value


@pytest.mark.parametrize("bits", [32, 64])
def test_numbers_have_the_bits_that_are_said(bits):
    last = -(-bits // 7) - 1
    extreme = b"\x80" * last + bytes([0x80 - (1 << (bits - 1 - 7 * last))])
    assert Reader(extreme).signed(bits) == -(1 << (bits - 1))
    for data in (b"\xff" * last + b"\x3e", b"\x80" * 11 + b"\0", b"\x80" * last):
        with pytest.raises(ModelError):
            Reader(data).signed(bits)
