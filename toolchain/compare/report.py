"""The account of a comparison: a JSON tree, and text for people."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.compare.difference import measure
from toolchain.compare.reveal import Layer
from toolchain.errors import ModelRefused
from toolchain.inspect.table import columns, printable

Tree = dict[str, Any]
Arrays = Mapping[str, NDArray[np.generic]]


def compare(layers: Sequence[Layer], left: Arrays, right: Arrays, tolerance: float) -> Tree:
    """Compare all layers in the order of execution.

    Returns:
        Plain JSON values: `equal`, `layers`, and `first_difference`, one of them or None; a
        distance or value that is not finite is None.

    Raises:
        ModelRefused: a runtime left a tensor out, or gave it another shape or type.
    """
    rows = [_row(layer, left, right, tolerance) for layer in layers]
    first = next((row for row in rows if row["differing"]), None)
    return {"equal": first is None, "first_difference": first, "layers": rows}


def _row(layer: Layer, left: Arrays, right: Arrays, tolerance: float) -> Tree:
    a, b = left.get(layer.key), right.get(layer.key)
    if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
        found = " and ".join("none" if x is None else f"{x.dtype}{list(x.shape)}" for x in (a, b))
        raise ModelRefused(
            f"tensor {layer.tensor} ({printable(layer.name)}): the runtimes gave {found}; "
            "export the model with fixed shapes"
        )
    apart = measure(a, b, tolerance)
    first = None
    if apart.first is not None:
        position, *values = apart.first
        first = {"position": list(position), "values": [_finite(value) for value in values]}
    return {
        "tensor": layer.tensor,
        "name": layer.name,
        "operator": layer.operator,
        "operator_name": layer.operator_name,
        "shape": list(a.shape),
        "dtype": a.dtype.name,
        "values": apart.values,
        "differing": apart.count,
        "max_abs": _finite(apart.max_abs),
        "mean_abs": _finite(apart.mean_abs),
        "first": first,
    }


def text(tree: Tree) -> str:
    """Lay out a tree of `compare` with the names of its `runtimes`."""
    a, b = (one["name"] for one in tree["runtimes"])
    rows = [["#", "operator", "tensor", "type", "differ", "of", "max", "mean", "name"]]
    rows += [
        [
            str(row["operator"]),
            printable(row["operator_name"]),
            str(row["tensor"]),
            row["dtype"],
            f"{row['differing']:,}",
            f"{row['values']:,}",
            _number(row["max_abs"]) if row["differing"] else "",
            _number(row["mean_abs"]) if row["differing"] else "",
            printable(row["name"]),
        ]
        for row in tree["layers"]
    ]
    return "\n".join([_verdict(tree, a, b), "", *columns(rows, right=(0, 2, 4, 5, 6, 7))])


def _verdict(tree: Tree, a: str, b: str) -> str:
    within = f" by more than {tree['tolerance']:g}" if tree["tolerance"] else ""
    first = tree["first_difference"]
    if first is None:
        total = sum(row["values"] for row in tree["layers"])
        count = len(tree["layers"])
        return f"no difference{within} between {a} and {b}: {count} tensors, {total:,} values"
    before = tree["layers"].index(first)
    left, right = map(_number, first["first"]["values"])
    return "\n".join(
        [
            f"{a} and {b} differ{within} from tensor {first['tensor']} on, which operator "
            f"{first['operator']} ({printable(first['operator_name'])}) makes: "
            f"{printable(first['name'])}",
            f"  {first['differing']:,} of {first['values']:,} values, "
            f"at most by {_number(first['max_abs'])}, on average by {_number(first['mean_abs'])}",
            f"  the first at {first['first']['position']}: {left} and {right}",
            f"  tensors before it: {before}, all equal",
        ]
    )


def _finite(number: float) -> float | int | None:
    if not isfinite(number):
        return None
    return int(number) if number == int(number) else number


def _number(number: float | None) -> str:
    return "not finite" if number is None else f"{number:.4g}"
