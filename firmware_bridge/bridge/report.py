"""What the bridge tells of a device."""

from dataclasses import asdict
from typing import Any

from firmware_bridge.bridge.accelerator import Accelerator
from firmware_bridge.calls.methods import RESET_CAUSES

MAX_REASON = 200


def report(device: Accelerator) -> dict[str, Any]:
    """Describe a device as plain JSON values: `status` and `counts`.

    What is not known is left out.
    """
    told: dict[str, Any] = {"state": device.standing.value}
    if device.port:
        told["port"] = _text(device.port)
    if device.reason:
        told["reason"] = _text(device.reason)
    if device.welcome is not None:
        about = device.welcome.about
        told |= {
            "board": _text(about.board),
            "engine": about.engine.hex(),
            "arena_bytes": about.arena_bytes,
            "store_bytes": about.store_bytes,
            "clock_hz": about.clock_hz,
            "plans": [plan.hex() for plan in device.residency.plans],
            "refused": [_text(line) for line in device.residency.refusals][:8],
        }
    if device.stat is not None:
        stat = device.stat
        told |= {
            "firmware": f"{stat.firmware_version >> 8}.{stat.firmware_version & 255}",
            "free_store_bytes": stat.free_store_bytes,
            "stack_high_water_bytes": stat.stack_high_water_bytes,
            "fault": stat.fault or None,
        }
        if stat.reset_cause < len(RESET_CAUSES):
            told["reset_cause"] = RESET_CAUSES[stat.reset_cause]
    return {"status": told, "counts": asdict(device.tally)}


def _text(text: str) -> str:
    """What a device or the system says of itself, fit for a message."""
    return "".join(one if " " <= one <= "~" else "?" for one in text[:MAX_REASON])
