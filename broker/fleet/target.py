"""Whom a configuration command means: one device, or the fleet."""

import argparse

from broker.contract.shape.constraints import shorten
from broker.contract.topics import is_name
from broker.errors import UsageError


def add_fleet_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--fleet`, which stands in for the name of a device."""
    parser.add_argument("--fleet", action="store_true", help="all devices instead of one")


def split_target(words: list[str], *, fleet: bool) -> tuple[str | None, list[str]]:
    """Take the device off the front of the words, unless the fleet is meant.

    Raises:
        UsageError: no device, or a name that is none, such as a wildcard.
    """
    if fleet:
        return None, words
    if not words:
        raise UsageError("name a device, or use --fleet")
    if not is_name(words[0]):
        raise UsageError(f"device {shorten(words[0])} is refused: use 1 to 64 of a-z 0-9 _ -")
    return words[0], words[1:]
