"""Power and load, as the kernel tells them."""

import os
from pathlib import Path

from agent.learning.jobs.conditions import Conditions

SUPPLIES = Path("/sys/class/power_supply")


def conditions(supplies: Path = SUPPLIES) -> Conditions:
    """Read them; a machine that tells of no battery has mains."""
    found = [(_read(one / "type"), one) for one in _entries(supplies)]
    batteries = [_read(one / "status") for kind, one in found if kind == "Battery"]
    powered = any(_read(one / "online") == "1" for kind, one in found if kind != "Battery")
    on_battery = "Discharging" in batteries or (bool(batteries) and not powered)
    return Conditions(on_battery, os.getloadavg()[0] / (os.cpu_count() or 1))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
