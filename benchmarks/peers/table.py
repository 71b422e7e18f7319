"""What `runtimes.py` found, for people."""

from typing import Any

COLUMNS = (
    ("median", "median_ms", "9.3f"),
    ("min", "min_ms", "9.3f"),
    ("in", "copy_in_ms", "7.4f"),
    ("compute", "compute_ms", "9.3f"),
    ("out", "copy_out_ms", "7.4f"),
    ("ns/MAC", "ns_per_mac", "7.3f"),
    ("×tfjs", "times_tfjs-tflite", "6.2f"),
    ("×tflr", "times_tflite-runtime", "6.2f"),
    ("×XNN", "times_litert-xnnpack", "6.2f"),
    ("load", "load_ms", "8.2f"),
    ("first", "first_ms", "8.2f"),
    ("kB", "kilobytes", "7.0f"),
)


def table(found: dict[str, Any]) -> str:
    """One model: a line for each runtime, times in ms, then what was hoped for."""
    widths = [max(len(title), int(form.split(".")[0])) for title, _, form in COLUMNS]
    titles = " ".join(f"{one[0]:>{width}}" for one, width in zip(COLUMNS, widths, strict=True))
    lines = [f"\n{found['model']}: {found['macs']:,} MACs, times in ms", f"{'':16}{titles}"]
    for row in found["rows"]:
        if "missing" in row:
            lines.append(f"{row['runtime']:16}missing: {row['missing']}")
            continue
        cells = [
            f"{row[key]:>{width}.{form[-2]}f}" if key in row else " " * width
            for (_, key, form), width in zip(COLUMNS, widths, strict=True)
        ]
        same = "  = TFLite Micro" if row.get("equals_tflite_micro") else ""
        lines.append(f"{row['runtime']:16}{' '.join(cells)}{same}")
    hopes = [_hope(one) for one in found["goals"]]
    return "\n".join((*lines, *hopes))


def _hope(goal: dict[str, Any]) -> str:
    line = "  {runtime} {figure}: goal {at_most:g}, measured {measured:.3g}".format(**goal)
    return (
        f"{line}, of least times {goal['of_least_times']:.3g}" if "of_least_times" in goal else line
    )
