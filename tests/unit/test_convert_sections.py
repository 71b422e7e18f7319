"""The wasm codec: what is written comes back, and any bytes are read or refused in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wasm_bytes import LABEL, engine, refusal
from toolchain.convert import label
from toolchain.convert.contents import (
    Export,
    Limits,
    read_exports,
    read_globals,
    read_memory,
    write_exports,
    write_memory,
)
from toolchain.convert.sections import PREAMBLE, Kind, Section, read, write
from toolchain.errors import ModelRefused

ENGINE = engine()
ORDER = [*map(Kind, range(1, 10)), Kind.DATA_COUNT, Kind.CODE, Kind.DATA]
READERS = (read_memory, read_exports, read_globals)
pages = st.integers(0, 2**32 - 1)


@st.composite
def modules(draw):
    kinds = draw(st.lists(st.sampled_from(ORDER), unique=True).map(lambda x: sorted(x, key=rank)))
    found = [Section(kind, draw(st.binary(max_size=200))) for kind in kinds]
    for payload in draw(st.lists(st.binary(max_size=20), max_size=3)):
        found.insert(draw(st.integers(0, len(found))), Section(Kind.CUSTOM, payload))
    return tuple(found)


def rank(kind):
    return ORDER.index(kind)


def read_all(module):
    """Everything that `convert` ever reads of a module."""
    sections = read(module)
    for section in sections:
        for reader in READERS:
            refusal(lambda reader=reader, section=section: reader(section.payload))
    label.find(sections)


def only_refuses(module):
    assert "\n" not in refusal(lambda: read_all(module))


@given(modules())
def test_sections_come_back(sections):
    assert read(write(sections)) == sections


@given(modules(), st.integers(0))
def test_a_truncated_module_is_refused_or_ends_with_a_section(sections, cut):
    module = write(sections)
    shorter = module[: cut % len(module)]
    try:
        found = read(shorter)
    except ModelRefused:
        return
    assert found == sections[: len(found)]
    assert write(found) == shorter


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    only_refuses(data)
    only_refuses(PREAMBLE + data)


@given(
    st.lists(st.tuples(st.integers(0, len(ENGINE) - 1), st.integers(0, 255)), min_size=1),
    st.integers(0, len(ENGINE)),
)
def test_a_mutated_module_is_read_or_refused(changes, cut):
    module = bytearray(ENGINE)
    for at, byte in changes:
        module[at] = byte
    only_refuses(bytes(module))
    only_refuses(bytes(module[:cut]))


@given(st.binary(max_size=60))
def test_any_section_is_read_or_refused(payload):
    for reader in READERS:
        assert "\n" not in refusal(lambda reader=reader: reader(payload))


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (b"", "not a wasm module"),
        (b"\0asm\x02\0\0\0", "not a wasm module"),
        (PREAMBLE + b"\x0d\x00", "section number 13 at byte 8 is unknown"),
        (PREAMBLE + b"\x01\x05\x00", "at byte 8 has 5 bytes, 1 are there"),
        (PREAMBLE + b"\x01\xff\xff\xff\xff\x0f", "at byte 8 has 4294967295 bytes, 0 are there"),
        (PREAMBLE + b"\x01", "the number at byte 9 has no end"),
        (PREAMBLE + b"\x03\x00\x01\x00", "TYPE section at byte 10 is out of order"),
        (PREAMBLE + b"\x01\x00\x01\x00", "TYPE section at byte 10 is out of order"),
        (PREAMBLE + b"\x0a\x00\x0c\x00", "DATA_COUNT section at byte 10 is out of order"),
    ],
)
def test_a_damaged_module_is_refused(module, reason):
    with pytest.raises(ModelRefused, match=reason):
        read(module)


@given(pages, st.none() | pages)
def test_limits_come_back(minimum, maximum):
    limits = Limits(minimum, maximum)
    assert read_memory(write_memory(limits)) == limits


@given(st.lists(st.builds(Export, st.binary(max_size=20), st.integers(0, 255), pages)).map(tuple))
def test_exports_come_back(exports):
    assert read_exports(write_exports(exports)) == exports


@pytest.mark.parametrize(
    ("reader", "payload"),
    [
        (read_memory, b"\x02\x00\x01\x00\x01"),  # two
        (read_memory, b"\x01\x04\x01"),  # 64 bits
        (read_memory, b"\x01\x03\x01\x01"),  # shared
        (read_memory, b"\x01\x00\x01\x00"),  # a byte too many
        (read_exports, b"\xff\xff\xff\xff\x0f"),  # a count that lies
        (read_exports, b"\x01\xff\xff\xff\xff\x0fx\x00\x00"),  # a length that lies
        (read_exports, b"\x01\x01x\x00"),
        (read_globals, b"\xff\xff\xff\xff\x0f"),
        (read_globals, b"\x01\x7e\x00\x42\x00\x0b"),  # i64
        (read_globals, b"\x01\x7f\x00\x23\x00\x0b"),  # another global's value
        (read_globals, b"\x01\x7f\x00\x41\x00\x41"),
    ],
)
def test_a_section_that_lies_is_refused(reader, payload):
    with pytest.raises(ModelRefused, match="wasm: "):
        reader(payload)


def test_a_label_comes_back():
    other = Section(Kind.CUSTOM, b"\x04name{}")
    assert label.find([other, label.to_section(LABEL)]) == LABEL


@pytest.mark.parametrize("text", [b"", b"{}", b"[" * 4000, b'{"name": 1}', b" " * 5000, b"\xff"])
def test_a_damaged_label_is_refused(text):
    with pytest.raises(ModelRefused, match="'selvedge' is damaged"):
        label.find([Section(Kind.CUSTOM, b"\x08selvedge" + text)])


def test_a_module_without_a_label_is_refused():
    with pytest.raises(ModelRefused, match="no section 'selvedge'"):
        label.find(read(ENGINE))
