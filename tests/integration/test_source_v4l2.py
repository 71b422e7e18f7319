"""linuxpy itself, on a driver that answers its ioctls as the kernel's V4L2 does, and misbehaves.

Set SELVEDGE_HARDWARE_V4L2=/dev/videoN to run the last test on a real camera.
"""

import errno
import io
import itertools
import mmap
import os
import random
import time
from pathlib import Path

import cv2
import linuxpy.io
import linuxpy.video.device as linuxpy_device
import numpy as np
import pytest
from linuxpy.video import raw
from PIL import Image

from agent.config.sources import V4l2Source as Config
from agent.errors import SourceError
from agent.sources.adapters.v4l2 import V4l2Source, discover
from agent.sources.pixels import yuyv_to_rgb

YUYV, MJPEG, GREY, RGB = "YUYV", "MJPG", "GREY", "RGB3"
H264 = "H264"


def fourcc(code):
    return int.from_bytes(code.encode(), "little")


class Driver:
    """One camera. Time is virtual, frames come when the test says so."""

    def __init__(self, formats, *, rate_hz=30, sizes=((640, 480),), padding=0, card=b"UVC Camera"):
        self.formats, self.rate_hz, self.sizes = formats, rate_hz, sizes
        self.padding, self.card = padding, card
        self.now_ns = 10_000_000_000
        self.fixed_rate = self.is_gone = self.is_busy = self.is_output = False
        self.flags = raw.BufferFlag.TIMESTAMP_MONOTONIC
        self.format, self.size, self.fps = formats[0], sizes[0], (1, rate_hz)
        self.sequence = -1
        self.descriptors = []
        self._reset()

    def _reset(self):
        self.buffers, self.queued, self.done, self.streaming = [], [], [], False

    def clock(self):
        self.now_ns += 1000
        return self.now_ns

    # What a user of the camera calls.
    def open(self, path, *_args, **_options):
        if self.is_busy:
            raise OSError(errno.EBUSY, "Device or resource busy")
        if self.is_gone:
            raise OSError(errno.ENODEV, "No such device")
        read_end, self.ready = os.pipe2(os.O_NONBLOCK)
        self.descriptors += [self.ready]
        file = os.fdopen(read_end, "rb", buffering=0)
        self.read_end = read_end
        return file

    def mmap(self, _device, length, offset):
        assert offset == len(self.buffers) * 4096 * 4096
        self.buffers.append(mmap.mmap(-1, length))
        return self.buffers[-1]

    def ioctl(self, _device, request, argument):
        if self.is_gone:
            raise OSError(errno.ENODEV, "No such device")
        name = raw.IOC(request).name
        answer = getattr(self, f"_{name.lower()}", None)
        if answer is None:
            raise OSError(errno.ENOTTY, f"Inappropriate ioctl: {name}")
        answer(argument)
        return argument

    # What happens in front of the lens.
    def expose(self, data, *, flags=0, late_ns=0):
        """A frame is captured; without a free buffer it is lost, but counted."""
        self.now_ns += round(1e9 * self.fps[0] / self.fps[1])
        self.sequence += 1
        if not self.streaming or not self.queued:
            return
        index = self.queued.pop(0)
        self.buffers[index][: len(data)] = data
        stamp_ns = self.now_ns - late_ns
        self.done.append((index, len(data), flags, self.sequence, stamp_ns))
        os.write(self.ready, b"x")

    def unplug(self):
        self.is_gone = True
        os.close(self.descriptors.pop())

    def replug(self):
        self.is_gone = False
        self._reset()

    # The ioctls.
    def _querycap(self, caps):
        caps.driver, caps.card, caps.bus_info = b"uvcvideo", self.card, b"usb-1"
        kind = raw.Capability.META_CAPTURE if self.is_output else raw.Capability.VIDEO_CAPTURE
        caps.capabilities = caps.device_caps = kind | raw.Capability.STREAMING

    def _enum_fmt(self, item):
        if item.index >= len(self.formats):
            raise OSError(errno.EINVAL, "Invalid argument")
        item.pixelformat, item.description = fourcc(self.formats[item.index]), b"some format"

    def _enum_frameintervals(self, item):
        known = [size for size in self.sizes if size == (item.width, item.height)]
        if item.index or not known:
            raise OSError(errno.EINVAL, "Invalid argument")
        item.type = raw.Frmivaltypes.DISCRETE
        slow = item.pixel_format == fourcc(YUYV) and item.width > 640
        item.discrete.numerator, item.discrete.denominator = 1, 5 if slow else self.rate_hz

    def _s_fmt(self, item):
        codes = {fourcc(code): code for code in self.formats}
        if self.buffers:
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.format = codes.get(item.fmt.pix.pixelformat, self.formats[0])
        wanted = (item.fmt.pix.width, item.fmt.pix.height)
        self.size = min(self.sizes, key=lambda size: abs(size[0] - wanted[0]))
        self._g_fmt(item)

    def _g_fmt(self, item):
        pix = item.fmt.pix
        pix.width, pix.height = self.size
        pix.pixelformat = fourcc(self.format)
        pix.bytesperline = self.stride
        pix.sizeimage = max(self.stride, self.size[0] * 2) * self.size[1]

    @property
    def stride(self):
        pixel_bytes = {YUYV: 2, GREY: 1, RGB: 3}.get(self.format, 0)
        return self.size[0] * pixel_bytes + (self.padding if pixel_bytes else 0)

    def _s_parm(self, item):
        if self.fixed_rate:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl")
        fraction = item.parm.capture.timeperframe
        wanted_hz = fraction.denominator / fraction.numerator
        self.fps = (1, min(self.rate_hz, max(5, round(wanted_hz))))
        self._g_parm(item)

    def _g_parm(self, item):
        fraction = item.parm.capture.timeperframe
        fraction.numerator, fraction.denominator = self.fps

    def _reqbufs(self, item):
        if not item.count:
            self._reset()

    def _querybuf(self, item):
        item.length, item.m.offset = 4096 * 4096, item.index * 4096 * 4096

    def _qbuf(self, item):
        assert item.index not in self.queued
        self.queued.append(item.index)

    def _dqbuf(self, item):
        if not self.done:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        os.read(self.read_end, 1)
        item.index, item.bytesused, flags, item.sequence, stamp_ns = self.done.pop(0)
        item.flags = flags | self.flags
        item.timestamp.secs, rest_ns = divmod(stamp_ns, 10**9)
        item.timestamp.usecs = rest_ns // 1000

    def _streamon(self, _item):
        self.streaming = True

    def _streamoff(self, _item):
        self.streaming = False
        self.queued, self.done = [], []


@pytest.fixture
def plug(monkeypatch, tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    drivers = []

    def plug_in(formats, **options):
        driver = Driver(formats, **options)
        drivers.append(driver)
        node = tmp_path / f"video{len(drivers) - 1}"
        node.symlink_to("/dev/null")  # a character device
        driver.path = str(node)
        by_path = {str(each.path): each for each in drivers}
        monkeypatch.setattr(
            linuxpy.io.IO, "open", lambda path, *rest, **more: by_path[str(path)].open(path)
        )
        monkeypatch.setattr(
            linuxpy_device,
            "ioctl",
            lambda device, *rest: by_path[str(device.filename)].ioctl(device, *rest),
        )
        monkeypatch.setattr(
            linuxpy_device,
            "mem_map",
            lambda device, *rest, **more: by_path[str(device.filename)].mmap(device, *rest, **more),
        )
        return driver

    yield plug_in
    for driver in drivers:
        for descriptor in driver.descriptors:
            os.close(descriptor)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def opened(driver, **options):
    options = {"rate_hz": 30.0, **options}
    return V4l2Source(Config("v4l2", driver.path, **options), driver.clock)


def yuyv(driver, luma):
    width, height = driver.size
    rows = np.full((height, driver.stride), 77, np.uint8)
    rows[:, 0 : width * 2 : 2] = luma
    rows[:, 1 : width * 2 : 2] = 128
    return rows.tobytes()


def grey_of(sample):
    return round((int(sample.data[0, 0, 0]) * 219 / 255) + 16)


@pytest.mark.parametrize("padding", [0, 64])
def test_yuyv_without_the_padding_of_its_rows(plug, padding):
    driver = plug([YUYV], padding=padding)
    source = opened(driver)
    rng = np.random.default_rng(4)
    frame = rng.integers(0, 256, driver.size[1] * driver.stride, np.uint8).tobytes()
    driver.expose(frame)
    sample = source.read(0.1)
    assert (sample.data == yuyv_to_rgb(frame, 640, 480, driver.stride)).all()
    assert 0 <= driver.now_ns - sample.captured_ns < 1_000_000
    source.close()
    source.close()


def test_mjpeg_grey_and_rgb(plug):
    smooth = cv2.resize(np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8), (640, 480))
    file = io.BytesIO()
    Image.fromarray(smooth).save(file, "JPEG")
    frames = {MJPEG: file.getvalue(), GREY: smooth[:, :, 0].tobytes(), RGB: smooth.tobytes()}
    expected = {MJPEG: np.asarray(Image.open(file)), GREY: smooth[:, :, :1], RGB: smooth}
    for code, name in {MJPEG: "mjpeg", GREY: "grey", RGB: "rgb"}.items():
        driver = plug([YUYV, MJPEG, GREY, RGB])
        source = opened(driver, format=name)
        driver.expose(frames[code])
        assert (source.read(0.1).data == expected[code]).all()
        source.close()


def test_auto_takes_the_cheapest_format_that_is_fast_enough(plug):
    driver = plug([H264, MJPEG, YUYV], sizes=((640, 480), (1280, 720)))
    source = opened(driver)
    assert driver.format == YUYV
    source.close()
    source = opened(driver, width=1280, height=720)
    assert (driver.format, driver.size) == (MJPEG, (1280, 720))
    source.close()
    source = opened(driver, width=1280, height=720, rate_hz=5.0)
    assert (driver.format, driver.fps) == (YUYV, (1, 5))
    source.close()


def test_the_newest_frame_is_delivered_and_the_older_are_counted(plug):
    driver = plug([YUYV])
    source = opened(driver)
    driver.expose(yuyv(driver, 50))
    assert grey_of(source.read(0)) == 50
    driver.expose(yuyv(driver, 60))
    driver.expose(yuyv(driver, 70))
    assert grey_of(source.read(0)) == 70
    assert source.dropped() == 1
    assert source.read(0) is None
    source.close()


def test_frames_that_waited_while_all_buffers_were_full_are_stale(plug):
    driver = plug([YUYV])
    source = opened(driver)
    driver.expose(yuyv(driver, 20))
    assert grey_of(source.read(0)) == 20
    for number in range(40):  # buffers hold the first three of these; the others are lost
        driver.expose(yuyv(driver, 30 + number))
    assert source.read(0) is None
    driver.expose(yuyv(driver, 200))
    sample = source.read(0)
    assert grey_of(sample) == 200
    assert driver.now_ns - sample.captured_ns < 1_000_000
    assert source.dropped() == 40
    source.close()


def test_a_camera_that_cannot_go_slower_is_thinned(plug):
    driver = plug([YUYV])
    driver.fixed_rate = True
    source = opened(driver, rate_hz=10.0)
    seen = []
    for number in range(30):
        driver.expose(yuyv(driver, 20 + number))
        sample = source.read(0)
        if sample is not None:
            seen.append(grey_of(sample) - 20)
    assert seen == list(range(0, 30, 3))
    assert source.dropped() == 0
    source.close()


def test_damaged_frames_are_counted_and_never_fatal(plug):
    seed = 77
    random_ = random.Random(seed)
    driver = plug([YUYV, MJPEG])
    for name in ("yuyv", "mjpeg"):
        source = opened(driver, format=name)
        file = io.BytesIO()
        Image.new("RGB", (640, 480), (9, 9, 9)).save(file, "JPEG")
        good = file.getvalue() if name == "mjpeg" else yuyv(driver, 90)
        delivered = damaged = 0
        for _ in range(60):
            kind = random_.randrange(4)
            if kind == 0:
                driver.expose(good[: random_.randrange(len(good) - 2)])
            elif kind == 1:
                driver.expose(random_.randbytes(random_.randrange(1000)))
            elif kind == 2:
                driver.expose(good, flags=raw.BufferFlag.ERROR)
            else:
                driver.expose(good)
            damaged += kind < 3
            delivered += source.read(0) is not None
        assert (delivered, source.dropped()) == (60 - damaged, damaged), f"seed {seed}"
        source.close()


def test_time_stamps_of_another_clock_are_not_believed(plug):
    driver = plug([YUYV])
    source = opened(driver)
    for driver.flags, late_ns in ((0, 0), (raw.BufferFlag.TIMESTAMP_MONOTONIC, -5 * 10**9)):
        driver.expose(yuyv(driver, 20), late_ns=late_ns)
        sample = source.read(0)
        assert 0 <= driver.now_ns - sample.captured_ns < 1_000_000
    source.close()


def test_a_wakeup_without_a_frame_is_no_frame(plug):
    driver = plug([YUYV])
    source = opened(driver)
    os.write(driver.ready, b"x")
    assert source.read(0) is None
    source.close()


def test_a_camera_that_falls_silent(plug):
    driver = plug([YUYV])
    source = opened(driver)
    assert source.read(0) is None
    driver.now_ns += 6_000_000_000
    with pytest.raises(SourceError, match="plug it in anew"):
        source.read(0)
    source.close()


def test_unplugged_and_plugged_in_again(plug):
    driver = plug([YUYV])
    for _ in range(5):
        source = opened(driver)
        driver.expose(yuyv(driver, 40))
        assert source.read(0) is not None
        buffers = driver.buffers
        driver.unplug()
        with pytest.raises(SourceError, match="it is gone"):
            source.read(0.5)
        with pytest.raises(SourceError, match="it is gone"):
            opened(driver)
        source.close()
        source.close()
        assert all(buffer.closed for buffer in buffers)
        driver.replug()


def test_refusals_name_the_remedy(plug, monkeypatch, tmp_path):
    driver = plug([H264])
    with pytest.raises(SourceError, match="gives none of rgb, yuyv, mjpeg, grey"):
        opened(driver)
    driver = plug([YUYV])
    with pytest.raises(SourceError, match="gives no mjpeg, only yuyv"):
        opened(driver, format="mjpeg")
    driver.is_busy = True
    with pytest.raises(SourceError, match="another program uses it"):
        opened(driver)
    driver.is_busy, driver.is_output = False, True
    with pytest.raises(SourceError, match="VIDEO_CAPTURE"):
        opened(driver)

    def refuse(*_args, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(linuxpy.io.IO, "open", refuse)
    with pytest.raises(SourceError, match=r"sudo usermod -aG video \$USER"):
        opened(driver)
    driver.path = str(tmp_path / "video9")
    with pytest.raises(SourceError, match="is not there"):
        opened(driver)
    driver.path = str(tmp_path)
    with pytest.raises(SourceError, match="not a device"):
        opened(driver)


def test_linuxpy_is_named_when_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "linuxpy.video", None)
    with pytest.raises(SourceError, match=r"pip install 'selvedge\[camera\]'"):
        V4l2Source(Config("v4l2"), time.monotonic_ns)


def test_auto_opens_the_first_camera_and_discover_lists_all(plug, tmp_path):
    with pytest.raises(SourceError, match="no camera is plugged in"):
        V4l2Source(Config("v4l2"), time.monotonic_ns, tmp_path)
    meta, camera, busy = plug([YUYV]), plug([YUYV], card=b"C920"), plug([YUYV])
    meta.is_output, busy.is_busy = True, True
    found = discover(tmp_path)
    assert [(item.address, item.title, item.problem) for item in found] == [
        (camera.path, "C920", None),
        (busy.path, "video2", "another program uses it"),
    ]
    source = V4l2Source(Config("v4l2"), camera.clock, tmp_path)
    camera.expose(yuyv(camera, 33))
    assert grey_of(source.read(0)) == 33
    source.close()


@pytest.mark.hardware
@pytest.mark.skipif(
    "SELVEDGE_HARDWARE_V4L2" not in os.environ,
    reason="needs a camera: set SELVEDGE_HARDWARE_V4L2=/dev/videoN",
)
def test_a_real_camera():
    config = Config("v4l2", os.environ["SELVEDGE_HARDWARE_V4L2"])
    source = V4l2Source(config, time.monotonic_ns)
    samples = [sample for _ in range(30) if (sample := source.read(1.0)) is not None]
    source.close()
    assert len(samples) > 20
    ages_ns = [b.captured_ns - a.captured_ns for a, b in itertools.pairwise(samples)]
    assert all(age_ns > 0 for age_ns in ages_ns)
    assert samples[-1].data.std() > 0
