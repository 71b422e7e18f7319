"""Where `join` puts plan and arena, and what it refuses."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wasm_bytes import (
    EXPORTED,
    FUNCTIONS,
    LABEL,
    data_segment,
    engine,
    parts,
    plan,
    refusal,
)
from toolchain.convert.contents import (
    GLOBAL,
    Export,
    Limits,
    read_exports,
    read_memory,
    write_exports,
)
from toolchain.convert.join import EXPORTS, MAX_PAGES, PAGE_BYTES, join
from toolchain.convert.label import find
from toolchain.convert.leb128 import write_i32, write_u32
from toolchain.convert.sections import Kind, read
from toolchain.errors import ModelRefused


@given(st.integers(1, 200_000), st.integers(0, 200), st.integers(0, 1 << 20))
def test_memory_is_what_engine_plan_and_arena_take(heap_base, behind, arena_bytes):
    data = plan(arena_bytes, behind)
    sections = read(join(engine(heap_base=heap_base), data, LABEL))
    found = {section.kind: section.payload for section in sections}
    start = -(-heap_base // 16) * 16
    end = -(-(start + len(data)) // 16) * 16 + arena_bytes
    pages = -(-end // PAGE_BYTES)
    assert read_memory(found[Kind.MEMORY]) == Limits(pages, pages)
    segment = b"\x00\x41" + write_i32(start) + b"\x0b" + write_u32(len(data)) + data
    assert found[Kind.DATA] == b"\x02" + data_segment((None, None)) + segment


def test_everything_else_stays_and_the_label_stands_first():
    sections = read(join(engine(), plan(), LABEL))
    assert find(sections[:1]) == LABEL
    found = {section.kind: section.payload for section in sections[1:]}
    assert {one.name for one in read_exports(found[Kind.EXPORT])} == EXPORTS
    for kind in (Kind.TYPE, Kind.FUNCTION, Kind.GLOBAL, Kind.TABLE, Kind.ELEMENT):
        assert found[kind] == parts()[kind]


def test_the_largest_memory_is_2_gib():
    room = MAX_PAGES * PAGE_BYTES - 1008 - 96
    found = {one.kind: one.payload for one in read(join(engine(), plan(room), LABEL))}
    assert read_memory(found[Kind.MEMORY]) == Limits(MAX_PAGES, MAX_PAGES)
    with pytest.raises(ModelRefused, match="at most 2 GiB"):
        join(engine(), plan(room + 1), LABEL)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (engine({Kind.IMPORT: b"\x00"}), "IMPORT"),
        (engine({Kind.START: b"\x00"}), "START"),
        (engine({Kind.DATA_COUNT: b"\x01"}), "DATA_COUNT"),
        (engine({Kind.MEMORY: None}), "MEMORY"),
        (engine({Kind.EXPORT: None, Kind.CODE: None}), "EXPORT, CODE"),
        (engine({Kind.EXPORT: write_exports(EXPORTED[:-1])}), "its exports"),
        (engine({Kind.EXPORT: write_exports((*EXPORTED, EXPORTED[0]))}), "its exports"),
        (engine({Kind.EXPORT: write_exports((*EXPORTED, Export(b"x", 0, 0)))}), "its exports"),
        (
            engine({Kind.EXPORT: write_exports((EXPORTED[0], *EXPORTED[2:]))}),
            "its exports",
        ),
        (
            engine(
                {
                    Kind.EXPORT: write_exports(
                        (EXPORTED[0], Export(b"__heap_base", GLOBAL, 3), *EXPORTED[2:])
                    )
                }
            ),
            "its exports",
        ),
        (engine(heap_base=0), "its exports"),
        (engine(heap_base=-5), "its exports"),
        (engine(pages=2), "its memory is larger"),
    ],
)
def test_what_is_no_engine_is_refused(made, reason):
    with pytest.raises(ModelRefused, match=f"engine: .*{reason}"):
        join(made, plan(), LABEL)


@pytest.mark.parametrize(
    "made", [b"", plan()[:63], plan()[:-1], plan() + b"\0", b"X" + plan()[1:], plan(length=1)]
)
def test_what_is_no_plan_is_refused(made):
    with pytest.raises(ModelRefused, match=r"plan: .*convert the model again"):
        join(engine(), made, LABEL)


def test_a_name_that_is_too_long_is_refused():
    with pytest.raises(ModelRefused, match="use a shorter name"):
        join(engine(), plan(), replace(LABEL, name="x" * 5000))


def test_a_name_that_is_not_unicode_is_mended():
    sections = read(join(engine(), plan(), replace(LABEL, name="a\udcffb")))
    assert find(sections).name == "a?b"


@given(
    st.lists(st.tuples(st.integers(0, len(engine()) - 1), st.integers(0, 255)), min_size=1),
    st.binary(max_size=120),
)
def test_any_engine_and_any_plan_are_joined_or_refused(changes, data):
    made = bytearray(engine())
    for at, byte in changes:
        made[at] = byte
    for one in (plan(), data):
        assert "\n" not in refusal(lambda one=one: read(join(bytes(made), one, LABEL)))


def test_the_exports_are_those_of_the_design():
    assert [name.decode() for name in FUNCTIONS] == [
        *("sv_abi", "sv_describe", "sv_input", "sv_invoke", "sv_output", "sv_reset")
    ]
