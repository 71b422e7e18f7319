"""`selvedge mcu info`: what a device says of itself."""

import argparse
from typing import Any

from agent.mcu.adapters.device import add_device, device
from broker.contract.outcome import Outcome
from firmware_bridge.calls.methods import RESET_CAUSES, Method, Stat
from firmware_bridge.link.opening import Welcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mcu info`."""
    add_device(parser)


def run(arguments: argparse.Namespace) -> Outcome:
    """Ask the device."""
    with device(arguments) as attached:
        stat = Stat.unpack(attached.call(Method.STAT))
        tree = described(attached.connect(), stat)
    width = max(map(len, tree))
    return Outcome(
        "\n".join(f"{key:{width}}  {_shown(value)}" for key, value in tree.items()), tree
    )


def described(welcome: Welcome, stat: Stat) -> dict[str, Any]:
    """What is known of a device, as plain values."""
    about = welcome.about
    known = stat.reset_cause < len(RESET_CAUSES)
    return {
        "board": about.board,
        "firmware_version": stat.firmware_version,
        "engine": about.engine.hex(),
        "clock_hz": about.clock_hz,
        "code_bytes": stat.code_bytes,
        "arena_bytes": about.arena_bytes,
        "store_bytes": about.store_bytes,
        "free_store_bytes": stat.free_store_bytes,
        "plans": [plan.hex() for plan in about.plans],
        "stack_bytes": stat.stack_bytes,
        "stack_high_water_bytes": stat.stack_high_water_bytes,
        "uptime_ms": stat.uptime_ms,
        "calls": stat.calls,
        "frames_in": stat.frames_in,
        "frames_damaged": stat.frames_damaged,
        "bytes_lost": stat.bytes_lost,
        "reset_cause": RESET_CAUSES[stat.reset_cause] if known else str(stat.reset_cause),
        "fault": stat.fault or None,
    }


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value or "none")
