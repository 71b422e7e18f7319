"""What `infer` says of a model's outputs."""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.runtime.protocol import TensorInfo

SHOWN_VALUES = 64


def named(infos: Sequence[TensorInfo], arrays: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The outputs by name, which is made unique by their number."""
    names = [info.name for info in infos]
    if len(set(names)) < len(names):
        names = [f"{name}.{index}" for index, name in enumerate(names)]
    return dict(zip(names, arrays, strict=True))


def described(name: str, array: NDArray[Any], file: str | None) -> dict[str, Any]:
    """One output as plain values; small ones with their numbers."""
    tree = {"name": name, "shape": array.shape, "dtype": array.dtype.name, "file": file}
    if array.size <= SHOWN_VALUES and np.isfinite(array).all():
        tree["values"] = array.tolist()
    return tree


def lines(outputs: Sequence[dict[str, Any]]) -> list[str]:
    """The same for people."""
    shown = []
    for output in outputs:
        where = f" → {output['file']}" if output["file"] else ""
        shown.append(f"{output['name']} {output['dtype']} {list(output['shape'])}{where}")
        if not output["file"]:
            shown.append(f"  {output.get('values', 'too large to show: use --output')}")
    return shown


def output_name(text: str) -> str:
    """The argument `--output`."""
    if not text.endswith((".npy", ".npz")):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .npy or .npz")
    return text
