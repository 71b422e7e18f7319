"""The head of a `.plan` file, read before the engine checks the rest."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ModelError
from agent.runtime.plan_file import read_plan
from tests.support.engine_cases import case
from toolchain.lowering.lower import lower
from toolchain.plan.decode import decode
from toolchain.plan.encode import encode
from toolchain.tflite.reader import read

GOOD = encode(lower(read(case("conv", 0).model)))


def changed(at: int, form: str, value: object) -> bytes:
    data = bytearray(GOOD)
    struct.pack_into(form, data, at, value)
    return bytes(data)


def test_inputs_and_outputs_are_those_of_the_plan():
    mine, plan = read_plan(GOOD), decode(GOOD)
    assert mine.arena_bytes == plan.arena_bytes
    for found, numbers in ((mine.inputs, plan.inputs), (mine.outputs, plan.outputs)):
        assert [number for number, _ in found] == list(numbers)
        for number, record in found:
            tensor = plan.tensors[number]
            assert (record.info.name, record.info.shape) == (tensor.name, tensor.shape)
            assert (record.info.scale, record.info.zero_point) == (tensor.scale, tensor.zero_point)
            assert record.bytes == tensor.size_bytes


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (GOOD[:63], "is a truncated plan"),
        (changed(4, "<H", 2), "is no plan of format 1"),
        (GOOD[:-1], "is truncated"),
        (changed(8, "<I", 0xFFFFFFFF), "is truncated"),
        (changed(16, "<I", (256 << 20) + 1), "wants 268435457 bytes of memory"),
        (changed(24, "<H", 0), "claims 0 inputs"),
        (changed(26, "<H", 1025), "1025 outputs"),
        (changed(20, "<H", 0), "refers to tensor"),
        (changed(32, "<I", 0xFFFFFFF0), "is a damaged plan"),
        (changed(40, "<I", 0xFFFFFFF0), "is a damaged plan"),
        (changed(56, "<I", 0xFFFFFFF0), "is a damaged plan"),
    ],
)
def test_a_lying_header_is_refused(data, text):
    with pytest.raises(ModelError, match=text):
        read_plan(data)


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8))
def test_whatever_is_changed_a_plan_is_read_or_refused(at, bytes_):
    try:
        found = read_plan(GOOD[:at] + bytes_ + GOOD[at + len(bytes_) :])
    except ModelError:
        return
    assert 1 <= len(found.inputs) <= 1024
    assert all(record.bytes > 0 for _, record in (*found.inputs, *found.outputs))
