"""What is left out of an engine when it is joined with a plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wasm_bytes import (
    BODIES,
    KEYS,
    LABEL,
    data_segment,
    engine,
    parts,
    plan,
    refusal,
)
from toolchain.convert.code import TRAP, read_bodies, references, write_bodies
from toolchain.convert.contents import Export
from toolchain.convert.join import join
from toolchain.convert.sections import Kind, read
from toolchain.convert.trim import Engine, trim
from toolchain.plan.layout import HEADER_BYTES

ENGINE = Engine((Export(b"sv_abi", 0, 0),), 12, 8)


def trimmed(*used):
    found = trim(parts(), ENGINE, frozenset(used))
    bodies = read_bodies(found[Kind.CODE])
    kept = {number for number, body in enumerate(bodies) if body != TRAP}
    assert all(bodies[number] == BODIES[number] for number in kept)
    return kept, found[Kind.DATA]


def test_without_kernels_only_exports_stay():
    assert trimmed() == ({0}, b"\x01" + data_segment((None, None)))


def test_what_a_kernel_calls_stays_with_it():
    assert trimmed(KEYS[0]) == ({0, 1, 2, 5}, b"\x01" + data_segment((KEYS[0], None)))


def test_a_function_whose_place_in_the_table_is_a_constant_stays():
    assert trimmed(KEYS[1]) == ({0, 3, 4, 6}, b"\x01" + data_segment((None, KEYS[1])))


def test_a_function_whose_place_lies_in_memory_stays():
    data = b"\x02" + data_segment() + b"\x00\x41\xe4\x00\x0b\x04\x05\x00\x00\x00"
    found = trim(parts() | {Kind.DATA: data}, ENGINE, frozenset())
    assert [body != TRAP for body in read_bodies(found[Kind.CODE])] == [True, *[False] * 5, True]


def test_the_plan_says_which_kernels_are_used():
    made = join(engine(), plan(operators=HEADER_BYTES, operator_count=1), LABEL)
    code = next(one.payload for one in read(made) if one.kind is Kind.CODE)
    assert [body != TRAP for body in read_bodies(code)] == [True, True, True, False, False, True, 0]


def test_operators_outside_the_plan_are_refused():
    made = plan(operators=HEADER_BYTES, operator_count=2)
    assert "its operators lie outside" in refusal(lambda: join(engine(), made, LABEL))


@pytest.mark.parametrize(
    ("body", "calls", "constants"),
    [
        ("00 10 07 0b", {7}, set()),
        ("01 02 7f 10 87 00 0b", {7}, set()),
        ("00 41 85 01 0b", set(), {133}),
        ("00 41 85 80 80 80 00 0b", set(), {5}),
        ("00 41 7f 0b", set(), {-1}),
        ("00 43 10 07 10 07 10 03 0b", {3}, set()),
        ("00 44 10 07 10 07 10 07 10 07 10 03 0b", {3}, set()),
        ("00 28 02 10 10 03 0b", {3}, set()),
        ("00 0e 02 10 07 10 10 03 0b", {3}, set()),
        ("00 11 10 00 10 03 0b", {3}, set()),
        ("00 fc 0a 00 00 10 03 0b", {3}, set()),
        ("00 fc 0b 00 10 03 0b", {3}, set()),
        ("00 fd 0c" + " 10" * 16 + " 10 03 0b", {3}, set()),
        ("00 fd 00 04 10 10 03 0b", {3}, set()),
        ("00 fd 15 10 10 03 0b", {3}, set()),
        ("00 fd 54 00 10 10 10 03 0b", {3}, set()),
        ("00 fd e4 01 10 03 0b", {3}, set()),
    ],
)
def test_instructions_are_walked_one_by_one(body, calls, constants):
    found = references(bytes.fromhex(body))
    assert (found.calls, found.constants) == (calls, constants)


@given(st.binary(max_size=60))
def test_any_bytes_are_walked_or_refused(body):
    assert "\n" not in refusal(lambda: references(body))


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_bodies_come_back(bodies):
    assert read_bodies(write_bodies(bodies)) == bodies
