"""Stand-alone: gives frames of a Raspberry Pi camera on standard output, one for each byte asked.

Runs under the system's Python, whose numpy and libcamera belong together, so it imports nothing
of ours; what it speaks is described in `agent/sources/frame_header.py`. It ends when standard
input ends, which it does when the process that asks dies.

Arguments: camera width height rate_hz, or --list for the cameras as JSON.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

# This folder has a picamera2.py of its own.
_HERE = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != _HERE]

import struct  # noqa: E402
from typing import Any  # noqa: E402

LAYOUT = struct.Struct("<4sHHIQ")
MAGIC = b"SVF1"


def main() -> int:
    """Run until standard input ends."""
    try:
        from picamera2 import Picamera2  # type: ignore[import-not-found]
    except ImportError as error:
        sys.stderr.write(f"{error}; sudo apt install python3-picamera2\n")
        return 1
    if sys.argv[1:] == ["--list"]:
        sys.stdout.write(json.dumps(Picamera2.global_camera_info(), default=str))
        return 0
    output = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not fall between frames
    camera, width, height = (int(word) for word in sys.argv[1:4])
    capture(Picamera2(camera), (width, height), float(sys.argv[4]), output)
    return 0


def capture(camera: Any, size: "tuple[int, int]", rate_hz: float, output: int) -> None:
    """Answer each byte of standard input with the newest frame that was not given yet."""
    captured = 0

    def count(_request: Any) -> None:
        nonlocal captured
        captured += 1

    asked = threading.Semaphore(0)
    threading.Thread(target=listen, args=(asked,), daemon=True).start()
    interval_us = round(1e6 / rate_hz)
    camera.pre_callback = count
    camera.configure(
        camera.create_video_configuration(
            main={"format": "BGR888", "size": size},  # libcamera's name for bytes R, G, B
            raw=None,
            display=None,
            encode=None,
            buffer_count=3,  # contiguous memory is scarce
            controls={"FrameDurationLimits": (interval_us, interval_us)},
        )
    )
    camera.start()
    width, height = camera.camera_configuration()["main"]["size"]
    write(output, LAYOUT.pack(MAGIC, width, height, 0, time.monotonic_ns()))
    while asked.acquire():
        request = camera.capture_request()
        try:
            pixels = request.make_array("main").tobytes()
            sensor_ns = request.get_metadata().get("SensorTimestamp")
        finally:
            request.release()
        captured_ns = time.monotonic_ns()
        if sensor_ns:
            captured_ns -= max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - sensor_ns)
        if len(pixels) != width * height * 3:
            raise RuntimeError(f"frame of {len(pixels)} bytes for {width} x {height} pixels")
        write(output, LAYOUT.pack(MAGIC, width, height, captured & 0xFFFFFFFF, max(0, captured_ns)))
        write(output, pixels)


def listen(asked: threading.Semaphore) -> None:
    """Count what is asked; end the process when nobody is left to ask."""
    while os.read(0, 1):
        asked.release()
    os._exit(0)


def write(output: int, data: bytes) -> None:
    """Write all of `data`; a closed pipe ends the process."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(output, rest) :]
        except BrokenPipeError:
            os._exit(0)


if __name__ == "__main__":
    try:
        status = main()
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        status = 1
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(status)  # libcamera's threads may be stuck
