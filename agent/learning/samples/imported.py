"""Samples out of arrays: examples along the first axis, and a label for each."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import SampleError
from agent.learning.samples.sample import (
    ITEM_BYTES,
    Example,
    Label,
    Sample,
    check_example,
    class_name,
    label_of,
)

NAMES = ("examples", "labels")
MOST = 10**6


def samples_of(
    arrays: Mapping[str, NDArray[Any]],
    origin: str,
    names: Sequence[str] = (),
    scale: float = 0.0,
    zero_point: int = 0,
) -> list[Sample]:
    """Turn two arrays into samples.

    Args:
        arrays: `examples` [n, …] of a type that models take (float64 becomes float32), and
            `labels`: integers [n] are numbers of classes, floats [n, k] are targets.
        origin: name of the file in the store; with its place in it a sample is known again.
        names: of the classes.
        scale, zero_point: real = scale × (stored - zero_point); scale 0: the values are real.

    Raises:
        SampleError: the arrays are other ones; the text says which are wanted.
    """
    if set(arrays) != set(NAMES):
        found = ", ".join(sorted(arrays)[:4]) or "none"
        raise SampleError(f"the arrays {' and '.join(NAMES)} are wanted; there are {found}")
    examples, labels = (arrays[name] for name in NAMES)
    if examples.ndim < 2 or not 0 < len(examples) == len(labels) <= MOST:
        raise SampleError(
            f"examples {list(examples.shape)} and labels {list(labels.shape)} do not pair up"
        )
    if examples.dtype == np.float64:
        examples = examples.astype(np.float32)
    if examples.dtype.name not in ITEM_BYTES:
        raise SampleError(f"examples are {examples.dtype.name}; {', '.join(ITEM_BYTES)} are kept")
    is_class = labels.ndim == 1 and labels.dtype.kind in "iu"
    if not is_class and not (labels.ndim == 2 and labels.dtype.kind == "f"):
        raise SampleError(
            f"labels are {labels.dtype.name} {list(labels.shape)}; integers [n] or floats [n, k]"
            " are wanted"
        )
    little = examples.astype(examples.dtype.newbyteorder("<"))
    return [
        Sample(f"{origin} {at}", _label(label, names), _example(one, scale, zero_point))
        for at, (one, label) in enumerate(zip(little, labels.tolist(), strict=True))
    ]


def _label(said: Any, names: Sequence[str]) -> Label:
    return class_name(label_of(said), tuple(names))


def _example(stored: NDArray[Any], scale: float, zero_point: int) -> Example:
    example = Example(stored.tobytes(), stored.dtype.name, scale, zero_point)
    check_example(example)
    return example
