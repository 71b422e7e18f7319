"""Our side of V4L2 against C structures of ctypes, and against compilers for other machines.

tests/vectors/v4l2_abi.json holds what `compiled` of tests/support/v4l2_layout.py gave for each
target with the compiler and the headers of ziglang 0.17; 32-bit ARM has 64-bit times.
"""

import json
import struct
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from agent.sources import v4l2_abi as abi
from tests.support import v4l2_driver, v4l2_layout

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "v4l2_abi.json").read_text())
U32 = st.integers(0, 2**32 - 1)
FORMATS = {name: layout for name, (layout, _) in v4l2_layout.FORMATS.items()}


@pytest.mark.parametrize(("target", "word_bytes"), [("aarch64", 8), ("armhf", 4)])
def test_every_offset_size_and_number_of_the_header_on_other_machines(target, word_bytes):
    assert v4l2_layout.ours(word_bytes) == VECTORS[target]
    assert len(VECTORS[target]) == 95


def test_the_rules_of_layout_in_use_above_are_those_of_this_machine():
    word_bytes = struct.calcsize("L")
    for layout in FORMATS.values():
        size, offsets = v4l2_layout.laid_out(layout, word_bytes)
        assert size == layout.size
        for index, offset in enumerate(offsets):
            zeros = list(layout.unpack(bytes(layout.size)))
            zeros[index] = b"\xff" if isinstance(zeros[index], bytes) else -1 % 2**31
            packed = layout.pack(*zeros)
            assert offset <= next(at for at, byte in enumerate(packed) if byte) < offset + 8


@given(U32, st.integers(0, 2**31), st.integers(0, 999_999), U32, U32, U32, U32)
def test_a_buffer_of_the_driver(index, seconds, microseconds, used, flags, sequence, length):
    theirs = v4l2_driver.Buffer(index=index, bytesused=used, flags=flags, sequence=sequence)
    theirs.timestamp.tv_sec, theirs.timestamp.tv_usec = seconds, microseconds
    theirs.length, theirs.m.offset = length, used ^ length
    ours = abi.parse_buffer(bytes(theirs))
    assert (ours.index, ours.used_bytes, ours.sequence) == (index, used, sequence)
    assert (ours.length_bytes, ours.offset) == (length, used ^ length)
    assert ours.is_damaged == bool(flags & 0x40)
    stamp_ns = seconds * 10**9 + microseconds * 1000
    assert ours.captured_ns == (stamp_ns if flags & 0xE000 == 0x2000 else None)


@given(U32, U32, U32, st.floats(0.001, 1000))
def test_what_the_driver_is_asked(index, width, height, rate_hz):
    buffer = v4l2_driver.Buffer.from_buffer(abi.pack_buffer(index))
    assert (buffer.index, buffer.type, buffer.memory, buffer.request_fd) == (index, 1, 1, 0)
    wanted = v4l2_driver.Format.from_buffer(abi.pack_format(abi.fourcc("YUYV"), width, height))
    pix = wanted.fmt.pix
    assert (wanted.type, pix.width, pix.height, pix.field) == (1, width, height, 1)
    assert pix.pixelformat.to_bytes(4, "little") == b"YUYV"
    request = v4l2_driver.Request.from_buffer(abi.pack_buffer_request(index))
    assert (request.count, request.type, request.memory) == (index, 1, 1)
    interval = v4l2_driver.Interval.from_buffer(abi.pack_interval(index, 7, width, height))
    asked = (interval.index, interval.pixel_format, interval.width, interval.height)
    assert asked == (index, 7, width, height)
    parameters = v4l2_driver.Parameters.from_buffer(abi.pack_rate(rate_hz))
    fraction = parameters.parm.capture.timeperframe
    assert parameters.type == 1
    assert fraction.denominator / fraction.numerator == pytest.approx(rate_hz, abs=0.0006)
    assert abi.parse_rate(bytes(parameters)) == fraction.denominator / fraction.numerator


@given(st.floats(0, 1e300, exclude_min=True))
def test_any_rate_can_be_asked_for(rate_hz):
    assert abi.parse_rate(abi.pack_rate(rate_hz)) > 0


@given(st.binary(max_size=16), st.binary(max_size=32), st.binary(max_size=32), U32, U32)
def test_a_capability_of_any_driver(driver, card, bus, flags, device_flags):
    theirs = v4l2_driver.Capability(driver, card, bus, 0, flags, device_flags)
    ours = abi.parse_capability(bytes(theirs))
    assert ours.card == card.partition(b"\0")[0].decode("utf-8", "replace")
    effective = device_flags if flags & v4l2_driver.DEVICE_CAPS else flags
    captures = v4l2_driver.VIDEO_CAPTURE | v4l2_driver.STREAMING
    usable = effective & captures == captures and not effective & v4l2_driver.IO_MC
    assert (ours.problem is None) == usable


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_the_shortest_interval_of_a_list_or_a_range(kind):
    theirs = v4l2_driver.Interval(type=kind)
    theirs.u.stepwise.min.numerator, theirs.u.stepwise.min.denominator = 333333, 10_000_000
    theirs.u.stepwise.max.numerator, theirs.u.stepwise.max.denominator = 1, 5
    assert abi.parse_interval(bytes(theirs)) == pytest.approx(30, rel=1e-5)
    assert abi.parse_interval(bytes(v4l2_driver.Interval())) == 0


@given(st.data())
def test_answers_are_bounded_whatever_they_say(data):
    def answer(layout):
        return data.draw(st.binary(min_size=layout.size, max_size=layout.size))

    for parse, layout in (
        (abi.parse_format, abi.FORMAT),
        (abi.parse_buffer_request, abi.BUFFER_REQUEST),
    ):
        try:
            told = parse(answer(layout))
        except ValueError:
            continue
        if parse is abi.parse_format:
            assert 0 < told.width <= 8192
            assert 0 < told.height <= 8192
        else:
            assert 2 <= told <= 32
    assert abi.parse_buffer(answer(abi.BUFFER)).used_bytes < 2**32
    assert abi.parse_interval(answer(abi.FRAME_INTERVAL)) >= 0
    assert abi.parse_rate(answer(abi.STREAM_PARAMETERS)) >= 0
    assert 0 <= abi.parse_format_description(answer(abi.FORMAT_DESCRIPTION)) < 2**32
    assert len(abi.parse_capability(answer(abi.CAPABILITY)).card) <= 32
