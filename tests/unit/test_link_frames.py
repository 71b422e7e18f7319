"""Stuffing, frames and the cutting of a stream."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.link import cobs
from firmware_bridge.link.deframer import Deframer
from firmware_bridge.link.frame import (
    LAST,
    MAX_STUFFED_BYTES,
    Frame,
    FrameType,
    Verdict,
    decode,
    encode,
)


@given(st.binary(max_size=1200) | st.lists(st.sampled_from([0, 1, 255])).map(bytes))
def test_stuffing_is_undone_and_holds_no_zero(data):
    stuffed = cobs.encode(data)
    assert 0 not in stuffed
    assert len(stuffed) <= len(data) + len(data) // 254 + 1
    assert cobs.decode(stuffed) == data


@pytest.mark.parametrize(
    ("data", "stuffed"),
    [
        ("", "01"),
        ("00", "0101"),
        ("0000", "010101"),
        ("11220033", "0311220233"),
        ("11000000", "0211010101"),
        ("01" * 254, "ff" + "01" * 254 + "01"),
        ("00" + "01" * 254, "01ff" + "01" * 254 + "01"),
        ("01" * 255, "ff" + "01" * 254 + "0201"),
    ],
)
def test_stuffing_is_the_published_one(data, stuffed):
    """Examples of the paper, but for a full run at the end, where both forms decode alike."""
    assert cobs.encode(bytes.fromhex(data)).hex() == stuffed
    assert cobs.decode(bytes.fromhex(stuffed)).hex() == data


FRAMES = st.builds(
    Frame,
    st.just(FrameType.DATA),
    st.integers(0, 3),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 65535),
    st.binary(max_size=360),
)


@given(FRAMES, st.integers(0, 2**32 - 1))
def test_a_frame_comes_back(frame, session):
    wire = encode(frame, session)
    assert wire.count(0) == 2
    assert decode(wire[1:-1], session) == frame
    assert decode(wire[1:-1], session ^ 1) is Verdict.BAD_CRC


@given(FRAMES, st.data())
def test_up_to_four_damaged_bits_are_found(frame, data):
    content = bytearray(cobs.decode(encode(frame, 7)[1:-1]))
    places = st.sets(st.integers(0, len(content) * 8 - 1), min_size=1, max_size=4)
    for bit in data.draw(places):
        content[bit // 8] ^= 1 << bit % 8
    assert isinstance(decode(cobs.encode(bytes(content)), 7), Verdict)


def sealed(content: bytes) -> bytes:
    return cobs.encode(content + zlib.crc32(content).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("stuffed", "verdict"),
    [
        (b"\x01" * (MAX_STUFFED_BYTES + 1), Verdict.TOO_LONG),
        (b"\x05\x01", Verdict.BAD_STUFFING),
        (b"\x04abc", Verdict.TOO_SHORT),
        (sealed(bytes.fromhex("2300000000000000")), Verdict.BAD_VERSION),
        (sealed(bytes.fromhex("1000000000000000")), Verdict.BAD_TYPE),
        (sealed(bytes.fromhex("1700000000000000")), Verdict.BAD_TYPE),
        (sealed(bytes.fromhex("1304000000000000")), Verdict.BAD_HEADER),
        (sealed(bytes.fromhex("1300000000000100")), Verdict.BAD_HEADER),
        (sealed(bytes.fromhex("140000000000010061")), Verdict.BAD_HEADER),
        (sealed(bytes.fromhex("1600000100000000")), Verdict.BAD_HEADER),
    ],
)
def test_what_is_no_frame_has_a_reason(stuffed, verdict):
    assert decode(stuffed, 0) is verdict


@given(st.lists(FRAMES, min_size=1, max_size=5), st.lists(st.integers(1, 50), max_size=20))
def test_a_stream_is_cut_at_delimiters_however_it_comes(frames, cuts):
    wire = b"".join(encode(frame, 3) for frame in frames)
    deframer, found, at = Deframer(), [], 0
    for cut in [*cuts, len(wire)]:
        found += [decode(stuffed, 3) for stuffed in deframer.feed(wire[at : at + cut])]
        at += cut
    assert found == frames


def test_a_stretch_without_end_takes_no_memory():
    deframer = Deframer()
    for _ in range(1000):
        assert list(deframer.feed(b"x" * 5000)) == []
    assert len(deframer._held) == MAX_STUFFED_BYTES + 1
    (stretch,) = deframer.feed(b"\0")
    assert decode(stretch, 0) is Verdict.TOO_LONG


def test_a_frame_cut_anywhere_costs_no_other():
    """Whatever is lost at the end of a frame, the next one is read."""
    frame = Frame(FrameType.DATA, LAST, 1, 2, 3, bytes(range(40)))
    wire = encode(frame, 9)
    for cut in range(len(wire)):
        found = [decode(stuffed, 9) for stuffed in Deframer().feed(wire[:cut] + wire)]
        assert found[-1] == frame
        assert sum(isinstance(one, Frame) for one in found) == 1 + (cut >= len(wire) - 1)
