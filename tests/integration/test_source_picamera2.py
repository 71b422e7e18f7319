"""The real child script, with a module `picamera2` that misbehaves as it is told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from agent.config.sources import Picamera2Source as Config
from agent.errors import SourceError
from agent.sources.adapters.picamera2 import Picamera2Source, discover

FAKE = """
import os, random, sys, threading, time
import numpy as np

MODE = os.environ.get("FAKE_MODE", "")
RANDOM = random.Random(int(os.environ.get("FAKE_SEED", "1")))


class Request:
    def __init__(self, camera, number):
        self.camera, self.number, self.taken_ns = camera, number, time.clock_gettime_ns(7)
        camera.held += 1
        assert camera.held <= camera.buffers, "requests are not released"

    def make_array(self, name):
        assert name == "main"
        width, height = self.camera.size
        array = np.full((height, width, 3), self.number % 251, np.uint8)
        array[:, :, 0] = 200
        return array[:-1] if MODE == "short" and self.number > 3 else array

    def get_metadata(self):
        return {} if MODE == "no_time" else {"SensorTimestamp": self.taken_ns - 20_000_000}

    def release(self):
        self.camera.held -= 1


class Picamera2:
    def __init__(self, number=0):
        print("libraries print to standard output", flush=True)
        if MODE == "absent":
            raise RuntimeError("Camera(s) not found")
        if MODE == "stuck_open":
            time.sleep(60)
        if MODE == "slow_open":
            time.sleep(0.5)
        self.held, self.number, self.newest = 0, 0, None
        self.changed = threading.Condition()
        self.pre_callback = None

    @staticmethod
    def global_camera_info():
        return [{"Model": "imx708", "Id": "/base/soc/i2c0mux", "Num": 0}, {"Id": "usb"}]

    def create_video_configuration(self, main, raw, display, encode, buffer_count, controls):
        assert main["format"] == "BGR888" and raw is None
        low, high = controls["FrameDurationLimits"]
        assert low == high
        width, height = main["size"]
        return {"main": {"size": (width - width % 2, height - height % 2)},
                "buffers": buffer_count, "interval_s": low / 1e6}

    def configure(self, config):
        self.config = config
        self.size, self.buffers = config["main"]["size"], config["buffers"]

    def camera_configuration(self):
        return self.config

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            time.sleep(self.config["interval_s"] * (RANDOM.uniform(0, 2) if MODE else 1))
            print("and go on printing", flush=True)
            if MODE == "stall" and self.number >= 3:
                continue
            if MODE == "crash" and self.number >= 3:
                os._exit(70)
            if MODE == "raise" and self.number >= 3:
                sys.stderr.write("ERROR V4L2 v4l2_videodevice.cpp: Failed to queue buffer\\n")
                sys.stderr.flush()
                os._exit(71)
            with self.changed:
                if self.newest:
                    self.newest.release()
                self.number += 1
                self.newest = Request(self, self.number)
                if self.pre_callback:
                    self.pre_callback(self.newest)
                self.changed.notify()

    def capture_request(self):
        with self.changed:
            while self.newest is None:
                self.changed.wait()
            request, self.newest = self.newest, None
            return request
"""


@pytest.fixture(autouse=True)
def fake(tmp_path, monkeypatch, leaves_no_child):
    (tmp_path / "picamera2.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def frames_or_none(source):
    for _ in range(100):
        source.read(0.05)


@pytest.fixture
def mode(monkeypatch):
    return lambda name: monkeypatch.setenv("FAKE_MODE", name)


def opened(rate_hz=100.0, width=64, height=49, python=sys.executable):
    config = Config("picamera2", 0, width, height, rate_hz, python)
    return Picamera2Source(config, time.monotonic_ns)


def frames(source, count, timeout_s=2.0):
    samples = [source.read(timeout_s) for _ in range(count)]
    assert None not in samples
    return samples


def test_frames_are_rgb_of_the_size_that_the_camera_gives():
    source = opened()
    first, *rest = frames(source, 5)
    assert first.data.shape == (48, 64, 3)
    assert first.data.dtype == np.uint8
    assert (first.data[:, :, 0] == 200).all()
    numbers = [int(sample.data[0, 0, 1]) for sample in (first, *rest)]
    assert numbers == sorted(set(numbers))
    times = [sample.captured_ns for sample in (first, *rest)]
    assert times == sorted(times)
    assert 15e6 < time.monotonic_ns() - times[-1] < 1e9  # the sensor's own time stamp
    source.close()
    source.close()


def test_a_slow_consumer_gets_the_newest_frame_and_the_others_are_counted():
    source = opened()
    frames(source, 1)
    for _ in range(3):
        time.sleep(0.2)
        (sample,) = frames(source, 1)
        assert time.monotonic_ns() - sample.captured_ns < 0.15e9
    number = int(sample.data[0, 0, 1])
    # Between a frame's number and the count in its header lies at most the next frame.
    assert number - 4 <= source.dropped() <= number - 3
    assert source.dropped() > 30
    source.close()


def test_without_a_sensor_s_time_the_child_s_clock_serves(mode):
    mode("no_time")
    source = opened()
    (sample,) = frames(source, 1)
    assert 0 <= time.monotonic_ns() - sample.captured_ns < 1e9
    source.close()


def test_reading_waits_no_longer_than_told_and_loses_nothing():
    source = opened(rate_hz=4.0)
    samples, calls = [], 0
    while len(samples) < 3:
        start = time.monotonic()
        sample = source.read(0.02)
        assert time.monotonic() - start < 1.0
        calls += 1
        if sample is not None:
            samples.append(sample)
    assert calls > 10
    assert source.dropped() <= 1
    source.close()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash", "ended with code 70"),
        ("raise", "Failed to queue buffer"),
        ("short", "frame of 9024 bytes"),
    ],
)
def test_a_camera_that_fails_is_an_error_and_opens_again(mode, name, reason):
    mode(name)
    for _ in range(2):
        source = opened()
        with pytest.raises(SourceError, match=reason):
            frames(source, 30)
        source.close()
    mode("")
    source = opened()
    frames(source, 3)
    source.close()


def test_a_camera_that_falls_silent(mode, monkeypatch):
    from agent.sources.adapters import picamera2

    monkeypatch.setattr(picamera2, "_SILENCE_NS", 300_000_000)
    mode("stall")
    source = opened()
    with pytest.raises(SourceError, match="gives no frames"):
        frames_or_none(source)
    source.close()


def test_what_cannot_be_opened(mode, tmp_path, monkeypatch):
    from agent.sources.adapters import picamera2

    mode("absent")
    with pytest.raises(SourceError, match=r"RuntimeError: Camera\(s\) not found"):
        opened()
    mode("stuck_open")
    monkeypatch.setattr(picamera2, "_OPEN_WAIT_S", 0.1)
    monkeypatch.setattr(picamera2, "_START_WAIT_NS", 500_000_000)
    source = opened()
    assert source.read(0.01) is None
    with pytest.raises(SourceError, match="rpicam-hello"):
        frames_or_none(source)
    source.close()
    with pytest.raises(SourceError, match="No such file"):
        opened(python=str(tmp_path / "python9"))
    (tmp_path / "picamera2.py").unlink()
    monkeypatch.setattr(picamera2, "_OPEN_WAIT_S", 10)
    with pytest.raises(SourceError, match="sudo apt install python3-picamera2"):
        opened()


def test_a_camera_that_starts_slowly_keeps_nobody_waiting(mode, monkeypatch):
    from agent.sources.adapters import picamera2

    monkeypatch.setattr(picamera2, "_OPEN_WAIT_S", 0.05)
    mode("slow_open")
    began = time.monotonic()
    source = opened()
    answers = []
    while not answers or answers[-1] is None:
        start = time.monotonic()
        answers.append(source.read(0.02))
        assert time.monotonic() - start < 1.0
    assert time.monotonic() - began > 0.5
    assert len(answers) > 10
    assert len(frames(source, 3)) == 3
    source.close()


def test_a_killed_child():
    source = opened()
    frames(source, 2)
    os.kill(source._stream.pid, signal.SIGKILL)
    with pytest.raises(SourceError, match="code -9"):
        frames(source, 5)
    source.close()


@pytest.mark.parametrize(
    "noise", ["b'x' * 4000", "b'SVF1' + b'\\xff' * 200", "b'SVF1\\x40\\0\\x30\\0'", "b''"]
)
def test_a_child_that_breaks_its_framing(tmp_path, noise):
    child = tmp_path / "child"
    child.write_text(f"#!{sys.executable}\nimport os\nos.write(1, {noise})\n")
    child.chmod(0o755)
    with pytest.raises(SourceError, match=r"framing|ended with code 0"):
        opened(python=str(child))


@pytest.mark.parametrize("name", ["", "stall"])
def test_the_child_dies_with_its_parent(mode, name):
    mode(name)
    script = (
        "import os, sys, time\n"
        "from agent.config.sources import Picamera2Source as Config\n"
        "from agent.sources.adapters.picamera2 import Picamera2Source\n"
        "config = Config('picamera2', 0, 64, 48, 50.0, sys.executable)\n"
        "source = Picamera2Source(config, time.monotonic_ns)\n"
        "print(source._stream.pid, flush=True)\n"
        "for _ in range(6): source.read(0.1)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{root}"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, check=False
    )
    pid = int(done.stdout)
    for _ in range(300):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return
        if stat.rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.01)
    pytest.fail("the child outlived its parent")


def test_discover(tmp_path, monkeypatch):
    found = discover(sys.executable)
    assert [(item.address, item.title) for item in found] == [("0", "imx708"), ("1", "usb")]
    assert discover(str(tmp_path / "python9")) == []
    (tmp_path / "picamera2.py").write_text("raise ImportError('no libcamera')")
    assert discover(sys.executable) == []
