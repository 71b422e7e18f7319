"""Sensors of Linux industrial I/O, through sysfs."""

import contextlib
import os
import re
from pathlib import Path

import numpy as np

from agent.config.sources import IIO_CHANNEL
from agent.config.sources import IioSource as Config
from agent.errors import SourceError
from agent.pipeline.sample import Sample
from agent.sources.iio_channel import DEVICE, attribute_names, parse_number, processed
from agent.sources.pace import Pace
from agent.sources.protocol import Clock, Found, Sleep

ROOT = Path("/sys/bus/iio/devices")


class IioSource:
    """Polls channels at a rate; each sample is float32 [channels], in the units of the ABI."""

    def __init__(self, config: Config, clock: Clock, sleep: Sleep, root: Path = ROOT) -> None:
        """Open one file for each channel.

        Raises:
            SourceError: no such device or channel, or no permission.
        """
        self._clock = clock
        self._sleep = sleep
        self._pace = Pace(config.rate_hz)
        self._dropped = 0
        self._name = config.device
        self._channels: list[_Channel] = []
        folder = _find(root, config.device)
        try:
            for name in config.channels:
                self._channels.append(_Channel(folder, name))
        except SourceError:
            self.close()
            raise

    def read(self, timeout_s: float) -> Sample | None:
        """Poll all channels at the next tick; see `Source.read`."""
        if not self._pace.await_tick(self._clock, self._sleep, timeout_s):
            return None
        skipped, _ = self._pace.take(self._clock())
        self._dropped += skipped
        captured_ns = self._clock()
        values = [channel.read() for channel in self._channels]
        return Sample(np.array(values, np.float32), captured_ns)

    def dropped(self) -> int:
        """Count ticks that were missed."""
        return self._dropped

    def close(self) -> None:
        """Close the files."""
        while self._channels:
            self._channels.pop().close()


class _Channel:
    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        channel = name.removeprefix("in_")
        if not re.fullmatch(IIO_CHANNEL, name):
            raise SourceError(f"iio: {name!r} is not a channel name, such as accel_x or voltage0")
        self._factor, self._offset = 1.0, 0.0
        path = folder / f"in_{channel}_input"
        if not path.exists():
            path = folder / f"in_{channel}_raw"
            self._factor = _constant(folder, channel, "scale", 1.0)
            self._offset = _constant(folder, channel, "offset", 0.0)
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            has = ", ".join(_channels(folder)[:20])
            raise SourceError(f"iio: no channel {name} in {folder}; it has: {has}") from None
        except OSError as error:
            raise SourceError(f"iio: {path}: {_remedy(error)}") from None

    def read(self) -> float:
        try:
            # Reading a sysfs file again from its start makes the driver measure again.
            raw = parse_number(os.pread(self._descriptor, 64, 0))
        except OSError as error:
            raise SourceError(f"iio: channel {self._name}: {_remedy(error)}") from None
        except ValueError as error:
            raise SourceError(f"iio: channel {self._name}: {error}") from None
        return processed(raw, self._offset, self._factor)

    def close(self) -> None:
        os.close(self._descriptor)


def discover(root: Path = ROOT) -> list[Found]:
    """List devices with channels that can be polled."""
    found = []
    with contextlib.suppress(OSError):
        for folder in sorted(root.iterdir()):
            channels = _channels(folder) if DEVICE.fullmatch(folder.name) else []
            if channels:
                title = f"{_label(folder)}: {', '.join(channels)}"
                found.append(Found("iio", folder.name, title))
    return found


def _find(root: Path, device: str) -> Path:
    names = {}
    with contextlib.suppress(OSError):
        for folder in sorted(root.iterdir()):
            if DEVICE.fullmatch(folder.name):
                label = _label(folder)
                if device in (folder.name, label):
                    return folder
                names[folder.name] = label
    has = ", ".join(f"{name} ({label})" for name, label in names.items()) or "none"
    remedy = "enable its overlay or driver" if not names else "write one of them"
    raise SourceError(f"iio: no device {device!r} below {root}; there is: {has}; {remedy}")


def _label(folder: Path) -> str:
    try:
        with (folder / "name").open("rb") as file:
            return file.read(256).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _channels(folder: Path) -> list[str]:
    names = set()
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            stem, _, attribute = file.name.rpartition("_")
            if stem.startswith("in_") and attribute in ("raw", "input"):
                names.add(stem.removeprefix("in_"))
    return sorted(names)


def _constant(folder: Path, channel: str, attribute: str, default: float) -> float:
    for name in attribute_names(channel, attribute):
        try:
            with (folder / name).open("rb") as file:
                return parse_number(file.read(64))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SourceError(f"iio: {folder / name}: {_remedy(error)}") from None
        except ValueError as error:
            raise SourceError(f"iio: {folder / name}: {error}") from None
    return default


def _remedy(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "no permission; a udev rule has to give your group read access"
    return error.strerror or str(error)
