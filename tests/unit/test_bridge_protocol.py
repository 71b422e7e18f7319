"""The messages between programs and the bridge: what is written is read, junk is refused."""

import hashlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.bridge.jobs import Outcome, Verdict
from firmware_bridge.bridge.pool import Pool
from firmware_bridge.bridge.protocol import (
    MAX_BODY_BYTES,
    Distrust,
    Infer,
    Load,
    Messages,
    Report,
    Status,
    Told,
    pack,
)
from firmware_bridge.bridge.service import MAX_STORE_BYTES, Service
from firmware_bridge.bridge.states import TABLE, State, diagram
from firmware_bridge.bridge.variants import MAX_SPECIAL, Variants
from firmware_bridge.errors import RecordError

U32 = st.integers(0, 2**32 - 1)
NAMES = st.text("abcz019-_", min_size=1, max_size=64)
SHA256 = st.binary(min_size=32, max_size=32)
SPECIAL = st.lists(st.tuples(st.integers(0, 2**16 - 1), SHA256), max_size=MAX_SPECIAL).map(tuple)
MESSAGES = st.one_of(
    st.builds(Load, st.binary(max_size=100)),
    st.builds(
        Infer,
        U32,
        st.builds(Variants, SHA256, SPECIAL),
        st.integers(1, 60_000),
        st.integers(0, 1 << 20),
        st.binary(max_size=50),
    ),
    st.builds(Distrust, NAMES),
    st.just(Status()),
    st.builds(
        Told,
        U32,
        st.sampled_from(Verdict),
        U32,
        st.integers(0, 2**64 - 1),
        NAMES,
        st.binary(max_size=50),
    ),
    st.builds(Report, st.binary(max_size=50)),
)


@given(st.lists(MESSAGES, max_size=5), st.data())
def test_what_is_written_is_read_however_it_is_cut(messages, data):
    stream = b"".join(pack(message) for message in messages)
    reader, found, at = Messages(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream)))
        found += reader.receive(stream[at : at + size])
        at += size
    assert found == messages


@given(st.binary(max_size=300))
def test_junk_is_refused_or_waits_for_more(junk):
    with suppress(RecordError):
        for message in Messages().receive(junk):
            assert pack(message) in junk


@pytest.mark.parametrize(
    "stream",
    [
        (MAX_BODY_BYTES + 2).to_bytes(4, "little"),
        bytes(4),
        b"\1\0\0\0\7",
        b"\2\0\0\0\4x",
        b"\2\0\0\0\2x",
        b"\2\0\0\0\5x",
        pack(Distrust("x" * 65)),
        pack(Infer(1, Variants(bytes(32)), 0, 1, b"")),
        pack(Infer(1, Variants(bytes(32)), 1, (1 << 20) + 1, b"")),
        pack(Infer(1, Variants(bytes(32)), 1, 1, bytes((1 << 20) + 1))),
        pack(Infer(1, Variants(bytes(32), 9 * ((3, bytes(32)),)), 1, 1, b"")),
        b"\x2e\0\0\0\2" + bytes(12 + 32) + b"\1",
    ],
)
def test_what_exceeds_its_bounds_is_refused(stream):
    with pytest.raises(RecordError):
        Messages().receive(stream)


def test_a_program_cannot_fill_the_bridge():
    service = Service(Pool(["one"]))
    for number in range(6):
        plan = bytes([number]) * (MAX_STORE_BYTES // 4)
        assert list(service.handle(1, Load(plan), 0)) == []
    assert sum(map(len, service._plans.values())) <= MAX_STORE_BYTES
    assert hashlib.sha256(bytes(MAX_STORE_BYTES // 4)).digest() not in service._plans


def test_without_a_device_a_job_ends_at_once_and_a_program_may_not_answer():
    service = Service(Pool(["one"]))
    plan = b"plan"
    list(service.handle(1, Load(plan), 0))
    asked = Infer(9, Variants(hashlib.sha256(plan).digest()), 100, 1, b"")
    assert list(service.handle(1, asked, 0)) == [(1, Told.of(Outcome((1, 9), Verdict.NO_DEVICE)))]
    ((_, told),) = service.handle(1, Status(), 0)
    assert b'"state":"connecting"' in told.text
    with pytest.raises(RecordError):
        list(service.handle(1, Report(b""), 0))


def test_the_drawn_states_are_those_of_the_table():
    page = Path(__file__).parents[2] / "docs" / "explain" / "bridge.md"
    assert diagram() in page.read_text()
    assert set(TABLE.values()) == set(State)
