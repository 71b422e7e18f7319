"""Our V4L2, and the tests' driver, against this machine's own header and compiler."""

import ctypes
import shutil
import struct
from pathlib import Path

import pytest

from tests.support import v4l2_driver, v4l2_layout

pytestmark = [
    pytest.mark.skipif(
        not Path("/usr/include/linux/videodev2.h").exists(),
        reason="no /usr/include/linux/videodev2.h: sudo apt install linux-libc-dev",
    ),
    pytest.mark.skipif(
        shutil.which("gcc") is None, reason="no gcc: sudo apt install gcc libc6-dev"
    ),
]


@pytest.fixture(scope="module")
def header(tmp_path_factory):
    return v4l2_layout.compiled(tmp_path_factory.mktemp("c"), "gcc")


def test_every_offset_size_and_number(header):
    assert v4l2_layout.ours(struct.calcsize("L")) == header
    assert len(header) == 95


def test_the_driver_of_the_tests_speaks_the_same(header):
    for name in v4l2_driver.REQUESTS:
        assert v4l2_driver.number(name) == header[f"VIDIOC_{name}"]
    for kind in {kind for _, _, kind in v4l2_driver.REQUESTS.values()} - {ctypes.c_int}:
        assert ctypes.sizeof(kind) == header[f"sizeof(struct {kind.__name__})"]
        fields = [name for name, _ in kind._fields_]
        known = [name for name in fields if f"offsetof(struct {kind.__name__}, {name})" in header]
        assert known
        for name in known:
            offset = header[f"offsetof(struct {kind.__name__}, {name})"]
            assert getattr(kind, name).offset == offset
