"""Foreign words on an operator's terminal: bounded, on one line, without control characters."""

import json
from collections.abc import Sequence
from typing import Any

MAX_CELL = 120


def printable(text: str, limit: int = MAX_CELL) -> str:
    """Return a text that cannot move the cursor, and is at most `limit` characters long."""
    clean = "".join(character if character.isprintable() else "�" for character in text[:limit])
    return clean if len(text) <= limit else f"{clean[: limit - 1]}…"


def value_text(value: Any, limit: int = 400) -> str:
    """Return a JSON value as one bounded line."""
    return printable(json.dumps(value, ensure_ascii=False), limit)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out cells in columns that are as wide as they need to be."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def age_text(seconds: float) -> str:
    """Say how long ago something was; a time in the future is a clock that disagrees."""
    if seconds < -5:
        return "in the future"
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "now" if seconds < 5 else f"{int(seconds)} s ago"
