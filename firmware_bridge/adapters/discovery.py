"""Where a device is: a path or URL, a name below /dev/serial/by-id, or a USB vendor and product."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from serial.tools import list_ports

from firmware_bridge.adapters.serial_port import BAUD

BY_ID = Path("/dev/serial/by-id")


@dataclass(frozen=True, slots=True)
class Place:
    """One of three ways to say where a device is.

    Attributes:
        port: a device file, a pty, or a URL such as `socket://HOST:PORT`.
        by_id: a name below /dev/serial/by-id, with `*` for what changes.
        vid_pid: USB ids as `0483:374b`.
    """

    port: str | None = None
    by_id: str | None = None
    vid_pid: str | None = None
    baud: int = BAUD


def candidates(place: Place, by_id: Path = BY_ID) -> Iterator[str]:
    """Yield the ports that are there now and fit, under the names that stay theirs."""
    if place.port is not None:
        if "://" in place.port or Path(place.port).exists():
            yield place.port
    elif place.by_id is not None:
        yield from (str(link) for link in _links(by_id) if fnmatchcase(link.name, place.by_id))
    elif place.vid_pid is not None:
        stable = {str(link.resolve()): str(link) for link in _links(by_id)}
        for port in sorted(list_ports.comports()):
            if port.vid is not None and f"{port.vid:04x}:{port.pid or 0:04x}" == place.vid_pid:
                yield stable.get(port.device, port.device)


def _links(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []
