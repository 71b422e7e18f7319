"""A USB or other Video4Linux2 camera."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.config.sources import V4l2Source as Config
from agent.errors import SourceError
from agent.pipeline.sample import Sample
from agent.sources.adapters.v4l2_cameras import first_camera, open_camera, remedy
from agent.sources.camera_format import Offer, choose_format, missed_frames
from agent.sources.pace import Thinner
from agent.sources.pixels import grey_frame, rgb_frame, yuyv_to_rgb
from agent.sources.protocol import Clock
from agent.sources.v4l2_abi import Buffer, fourcc

_BUFFERS = 3
_FOURCC = {
    "rgb": fourcc("RGB3"),
    "yuyv": fourcc("YUYV"),
    "mjpeg": fourcc("MJPG"),
    "grey": fourcc("GREY"),
}
_SILENCE_NS = 5_000_000_000
_OLDEST_NS = 60_000_000_000


class V4l2Source:
    """Frames as uint8 [height, width, 3] RGB, or [height, width, 1] grey; always the newest."""

    def __init__(self, config: Config, clock: Clock, folder: Path = Path("/dev")) -> None:
        """Open the camera and start it.

        Raises:
            SourceError: no camera, busy, no permission, or no format that fits.
        """
        self._clock = clock
        self._path = first_camera(folder) if config.device == "auto" else config.device
        self._dropped = 0
        self._sequence: int | None = None
        self._device = open_camera(self._path)
        try:
            self._configure(config)
            self._device.start(_BUFFERS)
        except (OSError, ValueError) as error:
            self.close()
            raise SourceError(f"v4l2: {self._path}: {remedy(error)}") from None
        self._seen_ns = clock()

    def read(self, timeout_s: float) -> Sample | None:
        """Return the newest frame; see `Source.read`."""
        deadline_ns = self._clock() + round(max(0.0, timeout_s) * 1e9)
        while True:
            left_ms = max(0, -((self._clock() - deadline_ns) // 1_000_000))
            try:
                sample = self._newest(left_ms)
            except (OSError, ValueError) as error:
                raise SourceError(f"v4l2: {self._path}: {remedy(error)}") from None
            if sample is not None:
                return sample
            now_ns = self._clock()
            if now_ns - self._seen_ns > self._silence_ns:
                raise SourceError(f"v4l2: {self._path}: gives no frames; plug it in anew")
            if now_ns >= deadline_ns:
                return None

    def dropped(self) -> int:
        """Count frames that came while the consumer was busy, and damaged ones."""
        return self._dropped

    def close(self) -> None:
        """Stop the camera and close it."""
        self._device.close()

    def _configure(self, config: Config) -> None:
        if problem := self._device.capability().problem:
            raise ValueError(problem)
        wanted = (config.width, config.height)
        offers = []
        codes = set(self._device.formats())
        for name, code in _FOURCC.items():
            if code in codes:
                tried = self._device.try_format(code, *wanted)
                size = (tried.width, tried.height)
                offers.append(
                    Offer(name, self._device.highest_rate_hz(code, *size), size == wanted)
                )
        self._format = choose_format(config.format, offers, config.rate_hz)
        self._agreed = self._device.set_format(_FOURCC[self._format], *wanted)
        is_odd = self._format == "yuyv" and self._agreed.width % 2
        if self._agreed.fourcc != _FOURCC[self._format] or is_odd:
            raise ValueError(f"refuses {self._format} at {config.width} × {config.height}")
        rate_hz = self._device.set_rate(config.rate_hz) or config.rate_hz
        self._interval_ns = round(1e9 / rate_hz)
        self._silence_ns = max(_SILENCE_NS, 10 * self._interval_ns)
        self._thinner = Thinner(config.rate_hz, self._interval_ns)

    def _newest(self, timeout_ms: int) -> Sample | None:
        """Dequeue all that is ready, and decode the last in place if it is wanted."""
        if not self._device.wait(timeout_ms):
            return None
        last, count = None, 0
        # A driver that is faster than this loop would keep it forever.
        while count < 2 * _BUFFERS and (taken := self._device.dequeue()):
            if last is not None:
                self._device.enqueue(last.index)
            last, count = taken, count + 1
        if last is None:
            return None
        try:
            return self._sample(last, count)
        finally:
            self._device.enqueue(last.index)

    def _sample(self, taken: Buffer, count: int) -> Sample | None:
        now_ns = self._seen_ns = self._clock()
        missed = missed_frames(self._sequence, taken.sequence)
        self._dropped += max(missed, count - 1)
        self._sequence = taken.sequence
        captured_ns = taken.captured_ns
        if captured_ns is None or not 0 <= now_ns - captured_ns < _OLDEST_NS:
            captured_ns = now_ns
        # When all buffers were full, the driver had stopped: what came since was never stored.
        is_stale = count >= _BUFFERS and now_ns - captured_ns > 2 * self._interval_ns
        if not is_stale and not self._thinner.wants(captured_ns):
            return None
        if not is_stale and not taken.is_damaged:
            try:
                return Sample(self._decode(self._device.view(taken)), captured_ns)
            except ValueError:  # shorter or longer than it should be, or no JPEG
                pass
        self._dropped += 1
        return None

    def _decode(self, data: memoryview) -> NDArray[Any]:
        """Convert a frame to an array that does not share its memory."""
        width, height, stride = self._agreed.width, self._agreed.height, self._agreed.stride
        match self._format:
            case "mjpeg":
                from agent.sources.pictures import decode_mjpeg

                return decode_mjpeg(data, width, height)
            case "yuyv":
                return yuyv_to_rgb(data, width, height, stride)
            case "rgb":
                return np.array(rgb_frame(data, width, height, stride))
            case _:
                return np.array(grey_frame(data, width, height, stride))
