"""What every page of the reference is made of."""

import re
from collections.abc import Iterable


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    cells = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {line} |\n" for line in cells)


def summary(thing: type) -> str:
    """The first sentence of a docstring."""
    return (thing.__doc__ or "").strip().splitlines()[0]


def dashed(name: str) -> str:
    """`ReportedConfig` as `reported-config`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
