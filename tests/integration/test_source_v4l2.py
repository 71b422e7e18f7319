"""Our V4L2 on a driver below `fcntl.ioctl` that answers as the kernel's does, and misbehaves.

Set SELVEDGE_HARDWARE_V4L2=/dev/videoN to run the last test on a real camera.
"""

import errno
import io
import itertools
import os
import random
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from agent.config.sources import V4l2Source as Config
from agent.errors import SourceError
from agent.sources.adapters import v4l2_cameras
from agent.sources.adapters.v4l2 import V4l2Source
from agent.sources.adapters.v4l2_cameras import discover
from agent.sources.pixels import yuyv_to_rgb
from tests.support import v4l2_driver
from tests.support.v4l2_driver import GREY, H264, MJPEG, RGB, YUYV, Driver


@pytest.fixture
def plug(monkeypatch, tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    drivers = {}
    v4l2_driver.install(monkeypatch, drivers)
    monkeypatch.setattr(v4l2_cameras, "MAJOR", os.major(Path("/dev/null").stat().st_rdev))

    def plug_in(formats, **options):
        driver = Driver(formats, **options)
        driver.path = str(tmp_path / f"video{len(drivers)}")
        Path(driver.path).symlink_to("/dev/null")  # a character device
        drivers[driver.path] = driver
        return driver

    yield plug_in
    for driver in drivers.values():
        driver.give_back()
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
                driver.expose(good, flags=v4l2_driver.ERROR)
            else:
                driver.expose(good)
            damaged += kind < 3
            delivered += source.read(0) is not None
        assert (delivered, source.dropped()) == (60 - damaged, damaged), f"seed {seed}"
        source.close()


@pytest.mark.parametrize("name", ["rgb", "grey", "yuyv"])
def test_a_sample_does_not_change_when_its_buffer_is_filled_again(plug, name):
    driver = plug([RGB, GREY, YUYV])
    source = opened(driver, format=name)
    frame_bytes = driver.stride * driver.size[1]
    driver.expose(b"\x20" * frame_bytes)
    first = source.read(0).data
    before = first.copy()
    for _ in range(6):
        driver.expose(b"\xa0" * frame_bytes)
        assert (source.read(0).data != before).any()
    assert (first == before).all()
    source.close()


def test_a_driver_that_lies_about_its_buffers(plug):
    driver = plug([YUYV])
    source = opened(driver)
    driver.expose(b"", used=2**32 - 1)
    assert source.read(0) is None
    assert source.dropped() == 1
    driver.expose(yuyv(driver, 50))
    assert source.read(0) is not None
    driver.done.append((3, 0, 0, 2, driver.now_ns))
    os.write(driver.ready, b"x")
    with pytest.raises(SourceError, match="gives buffer 3 of 3"):
        source.read(0)
    source.close()
    for count in (0, 1, 33, 2**32 - 1):
        driver.count = count
        with pytest.raises(SourceError, match=f"offers {count} buffers"):
            opened(driver)
    driver.count = 3
    for driver.buffer_bytes in (2**31, 2**32 - 1):
        with pytest.raises(SourceError, match="offers a buffer of"):
            opened(driver)


@pytest.mark.parametrize("count", [2, 4, 32])
def test_any_number_of_buffers_that_a_driver_may_make(plug, count):
    driver = plug([YUYV])
    driver.count = count
    source = opened(driver)
    for number in range(3 * count):
        driver.expose(yuyv(driver, 20 + number))
        assert grey_of(source.read(0)) == 20 + number
    assert source.dropped() == 0
    assert len(driver.mapped) == count
    source.close()


@pytest.mark.parametrize("size", [(0, 480), (640, 0), (8193, 480), (2**32 - 1, 1), (641, 480)])
def test_a_driver_that_offers_an_impossible_size(plug, size):
    driver = plug([YUYV], sizes=(size,))
    with pytest.raises(SourceError, match=r"offers \d+ × \d+ pixels|refuses yuyv at 640 × 480"):
        opened(driver)


def test_a_format_in_the_wanted_size_goes_before_a_cheaper_one(plug):
    driver = plug([YUYV, MJPEG], sizes=((640, 480), (1280, 720)))
    driver.sizes_of[YUYV] = ((640, 480),)
    source = opened(driver, width=1280, height=720)
    assert (driver.format, driver.size) == (MJPEG, (1280, 720))
    source.close()
    source = opened(driver, width=1280, height=720, format="yuyv")
    assert (driver.format, driver.size) == (YUYV, (640, 480))
    source.close()


@pytest.mark.parametrize("name", ["ENUM_FRAMEINTERVALS", "S_PARM", "G_PARM"])
def test_a_driver_that_says_nothing_of_rates(plug, name):
    driver = plug([YUYV])
    driver.fails = dict.fromkeys(["S_PARM", name], errno.ENOTTY)
    driver.silent_rate = True
    source = opened(driver)
    driver.expose(yuyv(driver, 40))
    assert grey_of(source.read(0)) == 40
    source.close()


def test_signals_interrupt_nothing(plug):
    seed = 5
    random_ = random.Random(seed)
    driver = plug([YUYV])
    driver.interruptions = iter(lambda: random_.random() < 0.5, None)
    source = opened(driver)
    for number in range(50):
        driver.expose(yuyv(driver, 20 + number))
        assert grey_of(source.read(0)) == 20 + number, f"seed {seed}"
    source.close()


@pytest.mark.parametrize("request_", ["DQBUF", "QBUF"])
@pytest.mark.parametrize(("code", "reason"), [(errno.EIO, "broke off"), (errno.ENODEV, "is gone")])
def test_a_stream_that_breaks_off(plug, request_, code, reason):
    driver = plug([YUYV])
    source = opened(driver)
    driver.expose(yuyv(driver, 40))
    driver.fails[request_] = code
    with pytest.raises(SourceError, match=reason):
        source.read(0)
    source.close()


def test_a_stream_that_fails_without_a_word_is_not_polled_for_ever(plug):
    driver = plug([YUYV])
    source = opened(driver)
    driver.hang_up()
    with pytest.raises(SourceError, match="broke off"):
        source.read(60)
    source.close()


@pytest.mark.parametrize(
    "request_", ["QUERYCAP", "ENUM_FMT", "TRY_FMT", "S_FMT", "REQBUFS", "QUERYBUF", "QBUF"]
)
def test_whatever_fails_at_opening_leaves_nothing_open(plug, request_):
    driver = plug([YUYV])
    driver.fails[request_] = errno.EIO
    with pytest.raises(SourceError, match="broke off"):
        opened(driver)
    driver.fails = {"STREAMON": errno.ENOSPC}
    with pytest.raises(SourceError, match="no bandwidth left"):
        opened(driver)
    assert all(buffer.closed for buffer in driver.mapped)


def test_time_stamps_of_another_clock_are_not_believed(plug):
    driver = plug([YUYV])
    source = opened(driver)
    for driver.flags, late_ns in ((0, 0), (v4l2_driver.MONOTONIC, -5 * 10**9)):
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
        buffers = driver.mapped
        driver.unplug()
        with pytest.raises(SourceError, match="it is gone"):
            source.read(0.5)
        with pytest.raises(SourceError, match="it is gone"):
            opened(driver)
        source.close()
        source.close()
        assert [buffer.closed for buffer in buffers] == [True] * 3
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
    driver.is_busy = False
    for caps, reason in {
        v4l2_driver.META_CAPTURE: "it captures no video; try another",
        v4l2_driver.VIDEO_CAPTURE_MPLANE: "several planes only",
        v4l2_driver.VIDEO_CAPTURE | v4l2_driver.IO_MC: "use kind picamera2",
    }.items():
        driver.caps = caps
        with pytest.raises(SourceError, match=reason):
            opened(driver)
    driver.caps = v4l2_driver.VIDEO_CAPTURE
    driver.fails["TRY_FMT"] = errno.EINVAL
    with pytest.raises(SourceError, match="not a camera, or refuses this size"):
        opened(driver)

    def refuse(*_args, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(SourceError, match=r"sudo usermod -aG video \$USER"):
            opened(driver)
    driver.path = str(tmp_path / "video9")
    with pytest.raises(SourceError, match="is not there"):
        opened(driver)
    for path in (tmp_path, "/dev/full", "/dev/null\0"):
        driver.path = str(path)
        monkeypatch.setattr(v4l2_cameras, "MAJOR", 81)
        with pytest.raises(SourceError, match=r"not a video device|null byte"):
            opened(driver)


def test_auto_opens_the_first_camera_and_discover_lists_all(plug, tmp_path):
    with pytest.raises(SourceError, match="no camera is plugged in"):
        V4l2Source(Config("v4l2"), time.monotonic_ns, tmp_path)
    built_in, meta = plug([YUYV]), plug([YUYV])
    camera, busy = plug([YUYV], card=b"C920"), plug([YUYV])
    built_in.bus, meta.caps = b"platform:bcm2835-isp", v4l2_driver.META_CAPTURE
    busy.fails["QUERYCAP"] = errno.EBUSY
    name = tmp_path / "names" / "video3" / "name"
    name.parent.mkdir(parents=True)
    name.write_text("HD Webcam\n")
    found = discover(tmp_path, tmp_path / "names")
    assert [(item.address, item.title, item.problem) for item in found] == [
        (camera.path, "C920", None),
        (built_in.path, "UVC Camera", None),
        (busy.path, "HD Webcam", "another program uses it"),
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
