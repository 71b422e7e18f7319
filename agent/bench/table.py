"""What a measurement becomes: a row for machines, a table for people."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

Row = dict[str, Any]

_NUMBERS = {
    "median_ms": "{:.3f}",
    "p99_ms": "{:.3f}",
    "load_ms": "{:.1f}",
    "rss_mb": "{:.1f}",
    "ns_per_mac": "{:.4f}",
}


def row(model: str, runtime: str, answer: Row) -> Row:
    """Return the row of one measurement; figures that could not be taken are None."""
    figures: Row = {key: answer.get(key) for key in _NUMBERS}
    if (count := answer.get("macs")) and answer.get("median_ms"):
        figures["ns_per_mac"] = round(answer["median_ms"] * 1e6 / count, 5)
    rest: Row = {key: answer[key] for key in ("macs", "runs", "detail", "error") if key in answer}
    return {"model": model, "runtime": runtime, **figures, **rest}


def table(rows: Sequence[Row]) -> str:
    """Lay rows out in columns; a failed one shows its error in place of figures."""
    cells = [["model", "runtime", *_NUMBERS], *map(_cells, rows)]
    widths = [max(len(line[i]) for line in cells if i < len(line)) for i in range(len(cells[0]))]
    widths[2] = max(len(line[2]) for line in cells if len(line) > 3)
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=False))
        )
        for line in cells
    )


def _cells(each: Row) -> list[str]:
    names = [PurePath(each["model"]).name, each["runtime"]]
    if "error" in each:
        return [*names, each["error"]]
    return [
        *names,
        *("–" if each[key] is None else form.format(each[key]) for key, form in _NUMBERS.items()),
    ]
