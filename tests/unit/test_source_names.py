import re
import struct

import hypothesis.strategies as st
import pytest
from hypothesis import given

from agent.sources.alsa_name import is_safe_name, parse_devices
from agent.sources.camera_format import Offer, choose_format, missed_frames
from agent.sources.frame_header import LAYOUT, FrameHeader, parse_frame_header
from agent.sources.iio_channel import attribute_names, parse_number, processed

SAFE = ["default", "hw:1,0", "plughw:CARD=Device,DEV=0", "sysdefault:CARD=1", "plug:known", "null"]
UNSAFE = [
    "",
    "file:/etc/passwd",
    "tee:null,x,raw",
    "file:x",
    "plug:'file:x'",
    "{type file}",
    "plug:{type null}",
    "-D",
    "hw:1,0\n",
    "a b",
    "hw:",
    "hw:1;",
]


@pytest.mark.parametrize("name", SAFE)
def test_device_names(name):
    assert is_safe_name(name)


@pytest.mark.parametrize("name", UNSAFE)
def test_plugin_definitions_are_no_names(name):
    assert not is_safe_name(name)


@given(st.text(max_size=20))
def test_a_name_never_holds_a_path_a_quote_or_a_definition(name):
    if is_safe_name(name):
        assert re.fullmatch(r"[A-Za-z0-9_:=,]+", name)
        assert not name.startswith(("file:", "tee:"))


def test_microphones_of_proc_asound():
    pcm = (
        "00-00: bcm2835 HDMI 1 : bcm2835 HDMI 1 : playback 8\n"
        "01-00: USB Audio : USB Audio : playback 1 : capture 1\n"
        "02-01: ALC256 Analog : ALC256 Analog : capture 1\n"
    )
    found = parse_devices(pcm, {1: "Device"})
    assert [(item.address, item.title) for item in found] == [
        ("plughw:CARD=Device,DEV=0", "USB Audio"),
        ("plughw:2,1", "ALC256 Analog"),
    ]
    assert all(is_safe_name(item.address) for item in found)


@given(st.text(max_size=200))
def test_any_text_of_proc_asound(text):
    assert all(item.kind == "alsa" for item in parse_devices(text, {}))


@pytest.mark.parametrize(
    ("channel", "names"),
    [
        ("accel_x", ["in_accel_x_scale", "in_accel_scale", "in_scale"]),
        ("voltage0", ["in_voltage0_scale", "in_voltage_scale", "in_scale"]),
        (
            "voltage0-voltage1",
            ["in_voltage0-voltage1_scale", "in_voltage-voltage_scale", "in_scale"],
        ),
        (
            "voltage0_aux",
            [
                "in_voltage0_aux_scale",
                "in_voltage_aux_scale",
                "in_voltage0_scale",
                "in_voltage_scale",
                "in_scale",
            ],
        ),
    ],
)
def test_attributes_from_the_most_specific_to_the_shared(channel, names):
    assert list(attribute_names(channel, "scale")) == names
    assert list(attribute_names(channel, "raw")) == [f"in_{channel}_raw"]


def test_the_formula_of_the_kernel_s_abi():
    # Documentation of in_tempX_offset: the value is (raw + offset) × scale, in milli-degrees.
    assert processed(2296, -1024, 18.5) == (2296 - 1024) * 18.5


@given(st.binary(max_size=20))
def test_an_attribute_is_a_finite_number_or_refused(text):
    try:
        value = parse_number(text)
    except ValueError:
        return
    assert abs(value) < float("inf")


@pytest.mark.parametrize("text", [b"", b"nan\n", b"inf", b"1.5 dB\n", b"0 0 0 1\n", b"\xff"])
def test_what_is_no_factor_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_number(text)


@given(
    st.integers(1, 8192),
    st.integers(1, 8192),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
)
def test_frame_header(width, height, sequence, captured_ns):
    data = LAYOUT.pack(b"SVF1", width, height, sequence, captured_ns)
    assert parse_frame_header(data) == FrameHeader(width, height, sequence, captured_ns)


@given(st.binary(min_size=0, max_size=24) | st.binary(min_size=16, max_size=16))
def test_a_frame_header_is_believed_only_with_magic_and_bounds(noise):
    for data in (noise, b"SVF1" + noise):
        try:
            header = parse_frame_header(data)
        except ValueError:
            continue
        assert data[:4] == b"SVF1"
        assert 0 < header.frame_bytes <= 8192 * 8192 * 3


def test_the_capturing_child_speaks_the_same_header():
    from pathlib import Path

    import agent.sources.frame_header as ours

    text = Path(ours.__file__).with_name("adapters").joinpath("picamera2_capture.py").read_text()
    assert f'LAYOUT = struct.Struct("{LAYOUT.format}")' in text
    assert f"MAGIC = {ours.MAGIC!r}".replace("'", '"') in text
    assert struct.calcsize(LAYOUT.format) == 20


def test_the_cheapest_format_that_is_fast_enough():
    offers = [Offer("mjpeg", 30), Offer("yuyv", 5), Offer("h264", 60), Offer("grey", 30)]
    assert choose_format("auto", offers, 5) == "yuyv"
    assert choose_format("auto", offers, 10) == "mjpeg"
    assert choose_format("auto", offers, 60) in ("mjpeg", "grey")
    assert choose_format("grey", offers, 10) == "grey"
    assert choose_format("auto", [Offer("yuyv", 29.97), Offer("mjpeg", 30)], 30) == "yuyv"
    assert choose_format("auto", [Offer("mjpeg", 30), Offer("rgb", 0)], 30) == "rgb"
    near = Offer("yuyv", 30, fits=False)
    assert choose_format("auto", [near, Offer("mjpeg", 10)], 30) == "mjpeg"
    assert choose_format("yuyv", [near, Offer("mjpeg", 10)], 30) == "yuyv"
    assert choose_format("auto", [near, Offer("mjpeg", 10, fits=False)], 30) == "yuyv"
    with pytest.raises(ValueError, match=r"no rgb, only grey, mjpeg, yuyv"):
        choose_format("rgb", offers, 10)
    with pytest.raises(ValueError, match="none of"):
        choose_format("auto", [Offer("h264", 30)], 10)


@given(st.integers(0, 2**32 - 1), st.integers(0, 1000))
def test_gaps_in_sequence_numbers_survive_their_wrap(previous, gap):
    assert missed_frames(previous, (previous + 1 + gap) % 2**32) == gap
    assert missed_frames(None, previous) == 0
    assert missed_frames(previous, previous) == 0
