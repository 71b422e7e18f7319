"""The bytes of docs/reference/wire.md, read by the Python side; the C side has its own test."""

import struct

import pytest

from firmware_bridge.calls.methods import (
    CallStatus,
    Method,
    Sizes,
    Stat,
    Timing,
    pack_begin,
    pack_bench,
    pack_chunk,
    pack_infer,
    unpack_offset,
    unpack_outputs,
)
from firmware_bridge.errors import RecordError
from firmware_bridge.link import cobs
from firmware_bridge.link.frame import FrameType, Verdict, decode, encode
from firmware_bridge.link.opening import (
    About,
    Hello,
    Reason,
    Welcome,
    pack_reset,
    session_number,
    unpack_reset,
)
from tests.support.link_vectors import CALLS, FRAMES, OPENING, frame_of, record_of


@pytest.mark.parametrize("vector", FRAMES["frames"])
def test_a_frame_is_these_bytes(vector):
    frame, wire = frame_of(vector), bytes.fromhex(vector["wire"])
    assert encode(frame, vector["session"]) == wire
    assert decode(wire[1:-1], vector["session"]) == frame


@pytest.mark.parametrize("vector", FRAMES["refused"], ids=lambda vector: vector["why"])
def test_these_bytes_are_no_frame(vector):
    verdict = decode(bytes.fromhex(vector["stuffed"]), vector["session"])
    assert verdict is Verdict[vector["verdict"]]


def test_every_type_and_verdict_has_a_vector():
    assert {vector["type"] for vector in FRAMES["frames"]} == {kind.name for kind in FrameType}
    verdicts = {verdict.name for verdict in Verdict} - {"FRAME"}
    assert {vector["verdict"] for vector in FRAMES["refused"]} == verdicts
    assert {vector["method"] for vector in CALLS["records"]} == {method.name for method in Method}
    assert {vector["reason"] for vector in OPENING["resets"]} == {reason.name for reason in Reason}
    calls = [*CALLS["calls"], *CALLS["together"]["calls"]]
    assert {vector["status"] for vector in calls} == set(CallStatus) - {CallStatus.FAILED}


def test_stuffing_is_these_bytes():
    for data, stuffed in FRAMES["stuffing"]:
        assert cobs.encode(bytes.fromhex(data)).hex() == stuffed
        assert cobs.decode(bytes.fromhex(stuffed)).hex() == data


@pytest.mark.parametrize("vector", OPENING["hellos"])
def test_a_hello_is_these_bytes(vector):
    fields, payload = record_of(vector)
    assert Hello(**fields).pack() == payload
    assert Hello.unpack(payload) == Hello(**fields)


@pytest.mark.parametrize("vector", OPENING["welcomes"])
def test_a_welcome_is_these_bytes(vector):
    fields, payload = record_of(vector)
    names = ("board", "arena_bytes", "store_bytes", "clock_hz", "has_fault")
    about = About(
        engine=bytes.fromhex(fields.pop("engine")),
        plans=tuple(map(bytes.fromhex, fields.pop("plans"))),
        **{name: fields.pop(name) for name in names},
    )
    assert Welcome(about=about, **fields).pack() == payload
    assert Welcome.unpack(payload) == Welcome(about=about, **fields)


@pytest.mark.parametrize("vector", OPENING["resets"])
def test_a_reset_is_these_bytes(vector):
    reason, payload = Reason[vector["reason"]], bytes.fromhex(vector["payload"])
    assert pack_reset(reason, vector["boot_nonce"]) == payload
    assert unpack_reset(payload) is reason


@pytest.mark.parametrize(
    ("what", "read"),
    [("hellos", Hello.unpack), ("welcomes", Welcome.unpack), ("resets", unpack_reset)],
)
def test_what_is_no_record_is_refused(what, read):
    for vector in OPENING[f"refused_{what}"]:
        with pytest.raises(RecordError):
            read(bytes.fromhex(vector["payload"]))


def test_a_session_has_this_number():
    for vector in OPENING["sessions"]:
        assert session_number(vector["host_nonce"], vector["boot_nonce"]) == vector["number"]


REQUESTS = {
    "STAT": lambda fields: b"",
    "PLAN_BEGIN": lambda fields: pack_begin(bytes.fromhex(fields["sha256"]), fields["length"]),
    "PLAN_CHUNK": lambda fields: pack_chunk(fields["offset"], bytes.fromhex(fields["data"])),
    "PLAN_COMMIT": lambda fields: bytes.fromhex(fields["sha256"]),
    "PLAN_DROP": lambda fields: bytes.fromhex(fields["id"]),
    "INFER": lambda fields: pack_infer(
        bytes.fromhex(fields["id"]), bytes.fromhex(fields["inputs"])
    ),
    "BENCH": lambda fields: pack_bench(bytes.fromhex(fields["id"]), fields["runs"]),
    "RESTART": lambda fields: b"",
    "FAULT": lambda fields: struct.pack("B", fields["kind"]),
}
REPLIES = {
    "STAT": lambda body: {
        name: getattr(Stat.unpack(body), name) for name in Stat.__dataclass_fields__
    },
    "PLAN_BEGIN": lambda body: {"offset": unpack_offset(body)},
    "PLAN_CHUNK": lambda body: {"next": unpack_offset(body)},
    "PLAN_COMMIT": lambda body: {
        name: getattr(Sizes.unpack(body), name) for name in Sizes.__dataclass_fields__
    },
    "INFER": lambda body: dict(
        zip(
            ("ticks", "outputs"),
            (unpack_outputs(body)[0], unpack_outputs(body)[1].hex()),
            strict=True,
        )
    ),
    "BENCH": lambda body: {
        "ticks": Timing.unpack(body).ticks,
        "stack_high_water_bytes": Timing.unpack(body).stack_high_water_bytes,
        "operator_ticks": list(Timing.unpack(body).operator_ticks),
    },
}


@pytest.mark.parametrize("vector", CALLS["records"], ids=lambda vector: vector["method"])
def test_a_call_is_these_bytes(vector):
    method, fields = vector["method"], vector["fields"]
    assert REQUESTS[method](fields).hex() == vector["request"]
    if method in REPLIES:
        told = REPLIES[method](bytes.fromhex(vector["reply"]))
        assert told == {name: fields[name] for name in told}


@pytest.mark.parametrize("vector", CALLS["refused"], ids=lambda vector: vector["why"])
def test_these_bytes_are_no_reply(vector):
    with pytest.raises(RecordError):
        REPLIES[vector["method"]](bytes.fromhex(vector["reply"]))
