"""The table of tensors in a module's memory may hold anything; what comes of it is bounded."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ModelError
from agent.runtime.engine_model import Slot
from agent.runtime.wasm.table import describe
from tests.support.wasm_text import (
    INPUT_AT,
    NAMES_AT,
    OPERANDS_AT,
    OUTPUT_AT,
    RECORDS_AT,
    TABLE_AT,
    record,
    table,
)

SIZE = 65536


def memory(changes: dict[int, bytes] | None = None) -> memoryview:
    data = bytearray(SIZE)
    written = {
        TABLE_AT: table(),
        RECORDS_AT: record(name=0) + record(name=3, scale=0.0, zero_point=0),
        OPERANDS_AT: struct.pack("<2H", 0, 1),
        NAMES_AT: b"in\0out\0",
    }
    for address, content in (written | (changes or {})).items():
        data[address : address + len(content)] = content
    return memoryview(data)


class Module:
    def __init__(self, **answers: int) -> None:
        self.answers = {
            "sv_abi": 1,
            "sv_describe": TABLE_AT,
            "sv_input": INPUT_AT,
            "sv_output": OUTPUT_AT,
            "sv_invoke": 4,
        } | answers

    def __call__(self, name: str, *arguments: int) -> int:
        return self.answers[name]


def test_tensors_are_where_and_what_the_table_says():
    (given_,), (answer,) = describe(memory(), Module())
    assert (given_.address, answer.address) == (INPUT_AT, OUTPUT_AT)
    assert str(given_.record.info) == "in int8 [1, 4]"
    assert (given_.record.info.scale, given_.record.info.zero_point) == (0.5, -3)
    assert (answer.record.info.name, answer.record.bytes) == ("out", 4)


def test_a_tensor_of_a_uint8_model_is_shown_as_uint8():
    flipped = {RECORDS_AT: record(flags=1) + record(flags=1, scale=0.0, zero_point=0)}
    (given_,), (answer,) = describe(memory(flipped), Module())
    assert (given_.record.info.dtype, given_.record.info.zero_point) == ("uint8", 125)
    assert given_.record.is_flipped
    assert (answer.record.info.dtype, answer.record.info.zero_point) == ("uint8", 0)


NAME = {RECORDS_AT: record(name=SIZE - NAMES_AT - 2) + record(), SIZE - 2: b"\xffx"}


def test_a_name_without_an_end_ends_with_memory():
    (given_,), _ = describe(memory(NAME), Module())
    assert given_.record.info.name == "\ufffdx"
    long = {NAMES_AT: b"x" * 90, NAMES_AT + 90: b"\n" + b"y" * 1000, RECORDS_AT + 48: record()}
    (given_,), _ = describe(memory(long), Module(sv_input=4000))
    assert given_.record.info.name == "x" * 90 + "?" + "y" * 165


@pytest.mark.parametrize(
    ("answers", "changes", "text"),
    [
        ({"sv_abi": 2}, {}, "has interface 2, here it is 1"),
        ({"sv_describe": 0}, {}, "does not describe itself, with status 4"),
        ({"sv_describe": SIZE - 35}, {}, "has a table at address 65501, outside"),
        ({"sv_describe": -4}, {}, "has a table at address 4294967292, outside"),
        ({"sv_input": 0}, {}, "puts in int8 [1, 4] at address 0 of 65536"),
        ({"sv_input": SIZE - 3}, {}, "at address 65533 of 65536"),
        ({"sv_output": -1}, {}, "at address 4294967295 of 65536"),
        ({}, {TABLE_AT: table(inputs=0)}, "claims 0 inputs and 1 outputs"),
        ({}, {TABLE_AT: table(inputs=1025)}, "claims 1025 inputs and 1 outputs"),
        ({}, {TABLE_AT: table(outputs=1 << 31)}, "claims 1 inputs and 2147483648 outputs"),
        ({}, {TABLE_AT: table(operands=SIZE - 3)}, "has a table at address 65533"),
        ({}, {TABLE_AT: table(tensors=SIZE - 47)}, "has a table at address 65489"),
        ({}, {TABLE_AT: table(tensors=0xFFFFFFFF)}, "has a table at address 4294967295"),
        ({}, {OPERANDS_AT: b"\xff\xff\0\0"}, "has a table at address 3145744"),
        ({}, {RECORDS_AT: record(dtype=4)}, "has type 4, rank 2 and place 0"),
        ({}, {RECORDS_AT: record(shape=(1,) * 6)[:1] + b"\7" + record()[2:]}, "rank 7"),
        ({}, {RECORDS_AT: record(shape=(1, 5))}, "of shape [1, 5, 1, 1, 1, 1] claims 4 bytes"),
        ({}, {RECORDS_AT: record(shape=(0, 4), size=0)}, "claims 0 bytes"),
        ({}, {RECORDS_AT: record(dtype=0)}, "claims 4 bytes"),
        ({}, {RECORDS_AT: b"\x09\0" + record()[2:]}, "of shape [1, 4, 1, 1, 1, 1] claims 4"),
        ({}, {RECORDS_AT: record(shape=(1 << 16, 1 << 16), size=0)}, "claims 0 bytes"),
        ({}, {RECORDS_AT: record(shape=(1 << 16, 1 << 15), size=1 << 31)}, "claims 2147483648"),
        (
            {},
            {RECORDS_AT: record(shape=(1 << 20,), size=1 << 20) + record()},
            "at address 256 of 65536",
        ),
        (
            {"sv_input": 258},
            {RECORDS_AT: record(dtype=0, size=16) + record()},
            "at address 258 of 65536",
        ),
        ({}, {RECORDS_AT: record(scale=float("nan"))}, "has scale nan"),
        ({}, {RECORDS_AT: record(scale=-1.0)}, "has scale -1.0"),
        ({}, {RECORDS_AT: record(zero_point=1 << 20)}, "zero point 1048576"),
    ],
)
def test_a_lie_is_refused_with_its_figure(answers, changes, text):
    with pytest.raises(ModelError) as caught:
        describe(memory(changes), Module(**answers))
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


WORDS = st.one_of(st.integers(0, 1 << 10), st.integers(0, (1 << 32) - 1))


@given(st.binary(max_size=200), st.lists(WORDS, min_size=5, max_size=5))
def test_whatever_a_module_says_views_stay_inside(data, words):
    names = ("sv_describe", "sv_input", "sv_output", "sv_invoke", "sv_abi")
    answers = dict(zip(names, words, strict=True)) | {"sv_abi": 1}
    seen = memory({TABLE_AT + 4: data})
    try:
        inputs, outputs = describe(seen, Module(**answers))
    except ModelError:
        return
    for placed in (*inputs, *outputs):
        assert placed.address > 0
        assert placed.address + placed.record.bytes <= SIZE
        Slot(placed.record, np.zeros(placed.record.bytes, np.uint8))
