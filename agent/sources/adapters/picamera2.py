"""A Raspberry Pi camera, captured in a child on the system's own Python."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np

from agent.config.sources import Picamera2Source as Config
from agent.errors import SourceError
from agent.pipeline.sample import Sample
from agent.sources.adapters.child_process import ChildGoneError, ChildStream
from agent.sources.frame_header import LAYOUT, FrameHeader, parse_frame_header
from agent.sources.protocol import Clock, Found

SCRIPT = Path(__file__).with_name("picamera2_capture.py")
_OPEN_WAIT_S = 1.0
"""Enough to see the child fail at once; a pipeline must not wait longer for its source."""

_START_WAIT_NS = 30_000_000_000
"""libcamera and numpy take ten seconds to load on a Pi Zero 2 W with a cold cache."""

_LIST_WAIT_S = 20.0
_ASK = b"?"
_SILENCE_NS = 5_000_000_000


class Picamera2Source:
    """RGB frames, always the newest: the child holds a frame back until it is asked for one."""

    def __init__(self, config: Config, clock: Clock) -> None:
        """Start the child; a camera that starts slowly is awaited by `read`.

        Raises:
            SourceError: no such Python, or what the child said when it ended within a second.
        """
        self._clock = clock
        self._header: FrameHeader | None = None
        self._size: tuple[int, int] | None = None
        self._is_asked = False
        self._delivered = 0
        self._dropped = 0
        self._silence_ns = max(_SILENCE_NS, round(10e9 / config.rate_hz))
        size = (str(config.camera), str(config.width), str(config.height), str(config.rate_hz))
        try:
            self._stream = ChildStream(
                (config.python, str(SCRIPT), *size),
                clock,
                environment=_environment(),
                takes_input=True,
            )
        except OSError as error:
            raise SourceError(f"picamera2: {config.python}: {error.strerror}") from None
        self._heard_ns = clock()
        try:
            self._await_start(_OPEN_WAIT_S)
        except SourceError:
            self.close()
            raise

    def read(self, timeout_s: float) -> Sample | None:
        """Return the newest frame; see `Source.read`."""
        deadline_ns = self._clock() + round(timeout_s * 1e9)
        if self._size is None and not self._await_start(timeout_s):
            return None
        if not self._is_asked:
            self._ask()
        if self._header is None:
            self._header = self._receive_header((deadline_ns - self._clock()) / 1e9)
        if self._header is None:
            self._check_silence()
            return None
        pixels = self._receive(self._header.frame_bytes, (deadline_ns - self._clock()) / 1e9)
        if pixels is None:
            self._check_silence()
            return None
        header, self._header = self._header, None
        self._is_asked = False
        self._heard_ns = self._clock()
        self._delivered += 1
        self._dropped = max(self._dropped, header.sequence - self._delivered)
        image = np.frombuffer(pixels, np.uint8).reshape(header.height, header.width, 3)
        return Sample(image, header.captured_ns)

    def dropped(self) -> int:
        """Count frames that the camera captured and nobody asked for."""
        return self._dropped

    def close(self) -> None:
        """End the child."""
        self._stream.close()

    def _await_start(self, timeout_s: float) -> bool:
        hello = self._receive_header(timeout_s)
        now_ns = self._clock()
        if hello is not None:
            self._size = (hello.width, hello.height)
            self._heard_ns = now_ns
        elif now_ns - self._heard_ns > _START_WAIT_NS:
            raise SourceError(
                "picamera2: the camera does not start; check the cable, and "
                "'rpicam-hello --list-cameras'"
            )
        return hello is not None

    def _ask(self) -> None:
        try:
            self._stream.send(_ASK)
        except ChildGoneError as error:
            raise SourceError(f"picamera2: {error}") from None
        self._is_asked = True

    def _check_silence(self) -> None:
        if self._clock() - self._heard_ns > self._silence_ns:
            raise SourceError("picamera2: the camera gives no frames; check the cable")

    def _receive_header(self, timeout_s: float) -> FrameHeader | None:
        data = self._receive(LAYOUT.size, timeout_s)
        if data is None:
            return None
        try:
            header = parse_frame_header(bytes(data))
        except ValueError as error:
            raise SourceError(f"picamera2: the child breaks its framing: {error}") from None
        if self._size not in (None, (header.width, header.height)):
            raise SourceError("picamera2: the child changed the size of its frames")
        return header

    def _receive(self, size: int, timeout_s: float) -> bytearray | None:
        try:
            return self._stream.receive(size, timeout_s)
        except ChildGoneError as error:
            raise SourceError(f"picamera2: {error}") from None


def discover(python: str = "/usr/bin/python3") -> list[Found]:
    """List the cameras that libcamera knows; none if picamera2 is not installed."""
    try:
        answer = subprocess.run(
            (python, str(SCRIPT), "--list"),
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIST_WAIT_S,
            env=_environment(),
        ).stdout
        cameras = json.loads(answer)
        return [
            Found("picamera2", str(number), str(camera.get("Model") or camera.get("Id")))
            for number, camera in enumerate(cameras)
        ]
    except (OSError, subprocess.SubprocessError, ValueError, AttributeError, TypeError):
        return []


def _environment() -> dict[str, str]:
    # A venv's own variables would lead the system's Python astray.
    ours = ("PYTHONHOME", "VIRTUAL_ENV", "PYTHONSAFEPATH", "__PYVENV_LAUNCHER__")
    rest = {name: value for name, value in os.environ.items() if name not in ours}
    return {"LIBCAMERA_LOG_LEVELS": "*:ERROR", **rest}
