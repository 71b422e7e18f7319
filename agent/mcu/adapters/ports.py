"""The serial ports of this machine, under the names that stay theirs."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from serial.tools import list_ports

BY_ID = Path("/dev/serial/by-id")


def ports(more: Sequence[str] = (), by_id: Path = BY_ID) -> list[dict[str, Any]]:
    """Name, VID:PID and description of each port; `more` are added as they are."""
    stable = {}
    with suppress(OSError):
        stable = {str(link.resolve()): str(link) for link in sorted(by_id.iterdir())}
    rows = [
        {
            "port": stable.get(port.device, port.device),
            "usb": None if port.vid is None else f"{port.vid:04x}:{port.pid or 0:04x}",
            "description": None if port.description in ("", "n/a") else port.description,
        }
        for port in sorted(list_ports.comports())
    ]
    return rows + [{"port": url, "usb": None, "description": None} for url in more]
