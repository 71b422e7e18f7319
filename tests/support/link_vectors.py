"""The vectors of the serial link."""

import json
from pathlib import Path
from typing import Any

from firmware_bridge.link.frame import Frame, FrameType

_FOLDER = Path(__file__).parents[1] / "vectors" / "link"


def _read(name: str) -> dict[str, Any]:
    return json.loads((_FOLDER / f"{name}.json").read_text())


FRAMES, OPENING, SESSION, CALLS = map(_read, ("frames", "opening", "session", "calls"))


def frame_of(vector: dict[str, Any]) -> Frame:
    names = ("flags", "seq", "ack", "method")
    payload = bytes.fromhex(vector["payload"])
    return Frame(
        FrameType[vector["type"]], **{name: vector[name] for name in names}, payload=payload
    )


def record_of(vector: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Fields, and the bytes that they are."""
    fields = dict(vector)
    return fields, bytes.fromhex(fields.pop("payload"))
