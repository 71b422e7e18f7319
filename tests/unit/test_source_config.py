"""What may name an input in a configuration, which can come from the broker."""

import re

import hypothesis.strategies as st
import pytest
from hypothesis import given

from agent.config.sources import SERIAL_SCHEMES, Source
from agent.sources.alsa_name import is_safe_name
from broker.contract.shape import parse

GOOD = {
    ("v4l2", "device"): [
        "auto",
        "/dev/video0",
        "/dev/v4l/by-id/usb-046d_C920_1-video-index0",
        "/dev/door",
    ],
    ("alsa", "device"): ["default", "hw:1,0", "plughw:CARD=Device,DEV=0", "null"],
    ("iio", "device"): ["iio:device0", "mpu6050", "104000.adc", "cros-ec-accel", "Gyro unten"],
    ("iio", "channels"): [["accel_x"], ["in_voltage0-voltage1", "temp"]],
    ("mqtt", "topic"): ["a", "zigbee2mqtt/kitchen", "$SYS/x", "/a//b/", "Küche/№ 1"],
    ("serial", "port"): [
        "/dev/ttyUSB0",
        "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0",
        "/tmp/pty",
        "loop://",
        "socket://10.0.0.7:4001",
        "rfc2217://host:2217?ign_set_control",
    ],
}
BAD = {
    ("v4l2", "device"): [
        "",
        "video0",
        "/etc/passwd",
        "/dev/",
        "/dev/video0\n",
        "/dev/a\0b",
        "Auto",
    ],
    ("alsa", "device"): ["", "file:/tmp/x", "tee:null,x,raw", "{type file}", "plug:'x'", "hw:1\n"],
    ("iio", "device"): ["", "..", "../iio:device0", "a/b", "/sys", ".x", "a\0", "a\n"],
    ("iio", "channels"): [[], ["../../x"], ["a/b"], ["."], ["accel_x\n"], [""], ["A"], ["-x"]],
    ("mqtt", "topic"): ["", "#", "a/+", "a/#", "+/b", "a\0b", "a\nb", "\ud800", "a\x7f"],
    ("serial", "port"): [
        "",
        "ttyUSB0",
        "spy:///dev/ttyUSB0?file=/tmp/x",
        "alt:///dev/ttyUSB0?class=x.y",
        "hwgrep://.*",
        "cp2110://0",
        "SPY:///dev/ttyUSB0",
        "Loop://",
        "/dev/ttyUSB0\n",
        "/x\nspy://y",
        "/spy://dev/tty",
        "socket://host:1 \n",
        "/dev/a\0b",
    ],
}
REST = {"iio": {"device": "x", "channels": ["x"]}}


def faults(kind, key, value):
    parsed = parse(Source, {"kind": kind, **REST.get(kind, {}), key: value})
    return parsed if isinstance(parsed, list) else []


@pytest.mark.parametrize(
    ("where", "value"), [(where, value) for where, values in GOOD.items() for value in values]
)
def test_names_that_are_taken(where, value):
    assert faults(*where, value) == []


@pytest.mark.parametrize(
    ("where", "value"), [(where, value) for where, values in BAD.items() for value in values]
)
def test_what_is_refused_is_refused_at_its_key(where, value):
    (fault,) = faults(*where, value)
    assert fault.path[0] == where[1]
    assert "\n" not in str(fault)


@given(st.text(max_size=30) | st.from_regex(r"[a-z]{2,8}://[!-~]{0,9}", fullmatch=True))
def test_pyserial_is_given_no_other_scheme(text):
    if not faults("serial", "port", text):
        scheme, is_url, _ = text.lower().partition("://")
        assert text[0] == "/" or (is_url and scheme in SERIAL_SCHEMES)
        assert not (text[0] == "/" and is_url)
        assert "\0" not in text


@given(st.text(max_size=30) | st.from_regex("[./a-z:_-]{1,9}", fullmatch=True))
def test_no_name_holds_a_step_of_a_path(text):
    if not faults("iio", "channels", [text]):
        assert re.fullmatch("[a-z0-9_-]+", text)
    if not faults("iio", "device", text):
        assert "/" not in text
        assert text not in (".", "..")
    assert bool(faults("alsa", "device", text)) == (not is_safe_name(text))
