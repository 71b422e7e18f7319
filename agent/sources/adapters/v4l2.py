"""A USB or other Video4Linux2 camera, through linuxpy."""

import contextlib
import errno
import select
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from agent.config.sources import V4l2Source as Config
from agent.errors import SourceError
from agent.pipeline.sample import Sample
from agent.sources.camera_format import Offer, choose_format, missed_frames
from agent.sources.pace import Thinner
from agent.sources.pixels import grey_frame, rgb_frame, yuyv_to_rgb
from agent.sources.protocol import Clock, Found

MISSING = "linuxpy is missing; pip install 'selvedge[camera]'"
_BUFFERS = 3
_FOURCC = {"rgb": "RGB3", "yuyv": "YUYV", "mjpeg": "MJPG", "grey": "GREY"}
_BUFFER_ERROR = 0x40  # V4L2_BUF_FLAG_ERROR
_MONOTONIC = 0x2000  # V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
_SILENCE_NS = 5_000_000_000


class V4l2Source:
    """Frames as uint8 [height, width, 3] RGB, or [height, width, 1] grey; always the newest."""

    def __init__(self, config: Config, clock: Clock, folder: Path = Path("/dev")) -> None:
        """Open the camera and start it.

        Raises:
            SourceError: no linuxpy, no camera, busy, no permission, or no format that fits.
        """
        video = _linuxpy()
        self._clock = clock
        self._path = _first_camera(folder) if config.device == "auto" else config.device
        _check_path(Path(self._path))
        self._dropped = 0
        self._sequence: int | None = None
        self._device = video.Device(self._path)
        self._capture: Any = None
        try:
            self._device.open()
            self._capture = video.VideoCapture(self._device, size=_BUFFERS)
            self._configure(config)
            self._capture.open()
        except (OSError, ValueError, video.V4L2Error) as error:
            self.close()
            raise SourceError(f"v4l2: {self._path}: {_remedy(error)}") from None
        self._poll = select.poll()
        self._poll.register(self._device.fileno(), select.POLLIN)
        self._seen_ns = clock()

    def read(self, timeout_s: float) -> Sample | None:
        """Return the newest frame; see `Source.read`."""
        deadline_ns = self._clock() + round(max(0.0, timeout_s) * 1e9)
        while True:
            left_ms = max(0, -((self._clock() - deadline_ns) // 1_000_000))
            try:
                frame = self._newest(left_ms)
            except OSError as error:
                raise SourceError(f"v4l2: {self._path}: {_remedy(error)}") from None
            sample = None if frame is None else self._sample(frame)
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
        if self._capture is not None:
            memory = self._capture.buffer
            # The ioctls fail once the camera is unplugged; its memory is ours to release.
            with contextlib.suppress(OSError):
                self._capture.close()
            for part in getattr(memory, "buffers", None) or ():
                part.close()
            self._capture = None
        with contextlib.suppress(OSError):
            self._device.close()

    def _configure(self, config: Config) -> None:
        capture, info = self._capture, self._device.info
        names = {_fourcc(code): name for name, code in _FOURCC.items()}
        offers = []
        for item in info.buffer_formats(capture.type):
            name = names.get(item.pixel_format)
            if name:
                sizes = info.fps_intervals(item.pixel_format, config.width, config.height)
                rate_hz = max((float(max(size.min_fps, size.max_fps)) for size in sizes), default=0)
                offers.append(Offer(name, rate_hz))
        self._format = choose_format(config.format, offers, config.rate_hz)
        capture.set_format(config.width, config.height, _FOURCC[self._format])
        agreed = capture.get_format()
        if agreed.pixel_format != _fourcc(_FOURCC[self._format]):
            raise ValueError(f"refuses {self._format} at {config.width} × {config.height}")
        self._width, self._height = agreed.width, agreed.height
        self._stride = agreed.bytes_per_line
        if not (0 < self._width <= 8192 and 0 < self._height <= 8192):
            raise ValueError(f"offers {self._width} × {self._height} pixels")
        rate_hz = config.rate_hz
        with contextlib.suppress(OSError):  # some drivers know one rate only
            capture.set_fps(config.rate_hz)
        with contextlib.suppress(OSError, ZeroDivisionError):  # and some do not say which
            rate_hz = float(capture.get_fps()) or rate_hz
        self._interval_ns = round(1e9 / rate_hz)
        self._silence_ns = max(_SILENCE_NS, 10 * self._interval_ns)
        self._thinner = Thinner(config.rate_hz, self._interval_ns)

    def _newest(self, timeout_ms: int) -> Any:
        """Dequeue all that is ready and return the last, if it is fresh."""
        if not self._poll.poll(timeout_ms):
            return None
        last, count = None, 0
        # A driver that is faster than this loop would keep it forever.
        while count < 2 * _BUFFERS:
            try:
                last = self._capture.buffer.raw_read()
            except BlockingIOError:
                break
            count += 1
        if last is None:
            return None
        missed = missed_frames(self._sequence, last.frame_nb)
        self._dropped += max(missed, count - 1)
        self._sequence = last.frame_nb
        # When all buffers were full, the driver had stopped: what came since was never stored.
        if count >= _BUFFERS and self._clock() - self._captured_ns(last) > 2 * self._interval_ns:
            self._dropped += 1
            return None
        return last

    def _sample(self, frame: Any) -> Sample | None:
        self._seen_ns = self._clock()
        captured_ns = self._captured_ns(frame)
        if not self._thinner.wants(captured_ns):
            return None
        try:
            if frame.buff.flags & _BUFFER_ERROR:
                raise ValueError("the driver says that it is damaged")  # noqa: TRY301
            return Sample(self._decode(frame.data), captured_ns)
        except ValueError:
            self._dropped += 1
            return None

    def _decode(self, data: bytes) -> NDArray[Any]:
        if self._format == "mjpeg":
            from agent.sources.pictures import decode_mjpeg

            return decode_mjpeg(data, self._width, self._height)
        convert = {"rgb": rgb_frame, "yuyv": yuyv_to_rgb, "grey": grey_frame}[self._format]
        return convert(data, self._width, self._height, self._stride)

    def _captured_ns(self, frame: Any) -> int:
        now_ns = self._clock()
        stamp = frame.buff.timestamp
        captured_ns: int = stamp.secs * 1_000_000_000 + stamp.usecs * 1000
        is_sane = frame.buff.flags & _MONOTONIC and 0 <= now_ns - captured_ns < 60_000_000_000
        return captured_ns if is_sane else now_ns


def discover(folder: Path = Path("/dev")) -> list[Found]:
    """List cameras, each with what hinders it from being opened."""
    paths = sorted(folder.glob("video[0-9]*"), key=lambda path: (len(path.name), path.name))
    found = []
    try:
        video = _linuxpy()
    except SourceError:
        return [Found("v4l2", str(path), path.name, MISSING) for path in paths]
    for path in paths:
        try:
            with video.Device(str(path)) as device:
                if video.Capability.VIDEO_CAPTURE in device.info.device_capabilities:
                    found.append(Found("v4l2", str(path), device.info.card))
        except (OSError, ValueError) as error:
            found.append(Found("v4l2", str(path), path.name, _remedy(error)))
    return found


def _linuxpy() -> Any:
    try:
        from linuxpy.video import device
    except ImportError:
        raise SourceError(f"v4l2: {MISSING}") from None
    return device


def _first_camera(folder: Path) -> str:
    cameras = discover(folder)
    for camera in cameras:
        if camera.problem is None:
            return camera.address
    problem = "; ".join(f"{camera.address}: {camera.problem}" for camera in cameras)
    raise SourceError(f"v4l2: {problem or 'no camera is plugged in'}")


def _check_path(path: Path) -> None:
    try:
        if not path.exists():
            raise SourceError(f"v4l2: {path} is not there; 'selvedge doctor' lists the cameras")
        if not path.is_char_device():
            raise SourceError(f"v4l2: {path} is not a device")
    except OSError as error:
        raise SourceError(f"v4l2: {path}: {_remedy(error)}") from None


def _fourcc(code: str) -> int:
    return int.from_bytes(code.encode("ascii"), "little")


def _remedy(error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code in (errno.EACCES, errno.EPERM):
        return "no permission; sudo usermod -aG video $USER, then log in again"
    if code == errno.EBUSY:
        return "another program uses it"
    if code in (errno.ENODEV, errno.ENXIO):
        return "it is gone; plug it in"
    if code in (errno.ENOTTY, errno.EINVAL):
        return "it is not a camera, or refuses this size; try another /dev/videoN"
    return getattr(error, "strerror", None) or str(error)
