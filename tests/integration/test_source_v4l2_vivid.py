"""The kernel's own virtual camera, made to fail as hardware does.

In a machine with the module: `modprobe vivid n_devs=1 num_inputs=1 input_types=0`, then set
SELVEDGE_HARDWARE_VIVID=/dev/videoN.
"""

import fcntl
import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from agent.config.sources import V4l2Source as Config
from agent.errors import SourceError
from agent.sources.adapters.v4l2 import V4l2Source

DEVICE = os.environ.get("SELVEDGE_HARDWARE_VIVID", "")
pytestmark = [
    pytest.mark.hardware,
    pytest.mark.skipif(
        not DEVICE, reason="needs the kernel's vivid: set SELVEDGE_HARDWARE_VIVID=/dev/videoN"
    ),
]
QUERY = struct.Struct("=II32s5i2I")  # v4l2_queryctrl
VALUE = struct.Struct("=Ii")  # v4l2_control
NEXT = 0x8000_0000
# 75 % bars of ITU-R BT.471: white, yellow, cyan, green, magenta, red, blue, black.
BARS = 191 * np.array(
    [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]]
)


class Controls:
    """The switches of vivid, by a part of their name."""

    def __init__(self):
        self.descriptor = os.open(DEVICE, os.O_RDWR)
        self.ids, last = {}, 0
        while True:
            asked = bytearray(QUERY.pack(last | NEXT, 0, b"", *[0] * 7))
            try:
                fcntl.ioctl(self.descriptor, self._number(36, QUERY), asked)
            except OSError:
                break
            last, _, name = QUERY.unpack(asked)[:3]
            self.ids[name.partition(b"\0")[0].decode()] = last

    def set(self, part, value=1):
        (control,) = {number for name, number in self.ids.items() if part in name}
        argument = bytearray(VALUE.pack(control, value))
        fcntl.ioctl(self.descriptor, self._number(28, VALUE), argument)

    @staticmethod
    def _number(code, layout):
        return 3 << 30 | layout.size << 16 | ord("V") << 8 | code


@pytest.fixture
def controls():
    controls = Controls()
    yield controls
    os.close(controls.descriptor)


def opened(name="rgb"):
    config = Config("v4l2", DEVICE, width=640, height=480, rate_hz=25.0, format=name)
    return V4l2Source(config, time.monotonic_ns)


def first(source):
    for _ in range(20):
        if (sample := source.read(0.5)) is not None:
            return sample
    raise AssertionError("no frame in 10 s")


@pytest.mark.parametrize("name", ["rgb", "yuyv"])
def test_colour_bars(name):
    source = opened(name)
    sample = first(source)
    assert sample.data.shape == (480, 640, 3)
    assert np.abs(sample.data[240, 40::80].astype(int) - BARS).max() <= 4
    assert 0 <= time.monotonic_ns() - sample.captured_ns < 5_000_000_000
    source.close()


def test_a_frame_is_fresh_after_a_pause():
    source = opened()
    first(source)
    time.sleep(0.6)
    assert time.monotonic_ns() - first(source).captured_ns < 300_000_000
    assert source.dropped() >= 10
    with pytest.raises(SourceError, match="another program uses it"):
        opened()
    source.close()


def test_damaged_frames_are_counted(controls):
    source = opened()
    first(source)
    before = source.dropped()
    for _ in range(3):
        controls.set("BUF_FLAG_ERROR")
        for _ in range(3):
            first(source)
    assert source.dropped() >= before + 3
    source.close()


@pytest.mark.parametrize(("control", "reason"), [("Fatal", "broke off"), ("Disconnect", "is gone")])
def test_a_stream_that_ends_and_begins_anew(controls, control, reason):
    for _ in range(3):
        source = opened()
        first(source)
        controls.set(control)
        with pytest.raises(SourceError, match=reason):
            first(source)
        source.close()
        if control == "Disconnect":  # it comes back when nobody has it open
            os.close(controls.descriptor)
            controls.__init__()


@pytest.mark.parametrize("request_", ["REQBUFS", "QBUF", "STREAMON"])
def test_a_refusal_at_opening_leaves_the_camera_free(controls, request_):
    before = set(Path("/proc/self/fd").iterdir())
    controls.set(f"VIDIOC_{request_} ")
    with pytest.raises(SourceError, match=DEVICE):
        opened()
    assert set(Path("/proc/self/fd").iterdir()) == before
    source = opened()
    first(source)
    source.close()
