"""The account of a model as text for people."""

from typing import Any

Tree = dict[str, Any]
_NAME_WIDTH = 40


def text(title: str, tree: Tree) -> str:
    """Lay out a tree of `report`; names from the file are cut and made safe for a terminal."""
    tensors = tree["tensors"]
    lines = [f"{title}: {printable(tree['description']) or 'no description'}"]
    if tree["graphs"] > 1:
        lines.append(f"{tree['graphs']} graphs; what follows is the first")
    lines += [f"input   {_signature(tensors[i])}" for i in tree["inputs"]]
    lines += [f"output  {_signature(tensors[i])}" for i in tree["outputs"]]
    lines += ["", *columns(_operator_rows(tree), right=(0, 4, 5)), ""]
    lines += columns(
        [
            ["arithmetic", tree["arithmetic"]],
            ["MACs", f"{tree['macs']:,}"],
            ["weights", f"{tree['weight_bytes']:,} bytes"],
            ["arena", f"{tree['arena_bytes']:,} bytes; {_bound(tree)}"],
            *[_verdict(one) for one in tree["runtimes"]],
            *[["warning", one] for one in tree["warnings"]],
        ]
    )
    return "\n".join(lines)


def printable(name: str, limit: int = _NAME_WIDTH) -> str:
    """Replace what a terminal would act upon by escapes, and cut."""
    safe = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name[:limit])
    return safe if len(name) <= limit and len(safe) <= limit else safe[: limit - 1] + "…"


def _operator_rows(tree: Tree) -> list[list[str]]:
    rows = [["#", "operator", "output", "type", "MACs", "constants, bytes"]]
    tensors = tree["tensors"]
    for operator in tree["operators"]:
        outputs = [tensors[i] for i in operator["outputs"]]
        constants = (tensors[i] for i in operator["inputs"] if i >= 0 and tensors[i]["constant"])
        rows.append(
            [
                str(operator["index"]),
                f"{printable(operator['name'])} v{operator['version']}",
                " ".join(_shape(one) for one in outputs[:4]) + (" …" if len(outputs) > 4 else ""),
                outputs[0]["dtype"] if outputs else "",
                _count(operator["macs"]),
                _count(sum(one["bytes"] for one in constants)),
            ]
        )
    return rows


def columns(rows: list[list[str]], right: tuple[int, ...] = ()) -> list[str]:
    """Align columns, those numbered in `right` to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _signature(tensor: Tree) -> str:
    parts = [printable(tensor["name"]) or "unnamed", f"{tensor['dtype']}{_shape(tensor)}"]
    if isinstance(tensor["scale"], float):
        parts.append(f"scale {tensor['scale']:.6g}, zero point {tensor['zero_point']}")
    return "  ".join(parts)


def _shape(tensor: Tree) -> str:
    return "[" + "×".join(map(str, tensor["shape"])) + "]"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _bound(tree: Tree) -> str:
    bound = tree["arena_lower_bound_bytes"]
    return "at the lower bound" if tree["arena_bytes"] == bound else f"lower bound {bound:,}"


def _verdict(one: Tree) -> list[str]:
    return [one["runtime"], f"{'yes' if one['can_run'] else 'no'}: {one['reason']}"]
