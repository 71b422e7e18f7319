"""An input for whoever brings none."""

import numpy as np
from numpy.typing import NDArray

from toolchain.errors import ModelRefused
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph

Array = NDArray[np.generic]
_INTEGERS = frozenset({DType.INT8, DType.UINT8, DType.INT16})


def random_inputs(graph: Graph, seed: int) -> dict[str, Array]:
    """Draw one array for each input, by its name: integers over their whole range, floats normal.

    Raises:
        ModelRefused: an input is of a type or a name that only the user can fill.
    """
    rng = np.random.default_rng(seed)
    drawn: dict[str, Array] = {}
    for index in graph.inputs:
        tensor = graph.tensors[index]
        if tensor.name in drawn:
            raise ModelRefused(f"two inputs are called {tensor.name!r}; rename one of them")
        if tensor.dtype in _INTEGERS:
            limits = np.iinfo(tensor.dtype.label)
            drawn[tensor.name] = rng.integers(
                limits.min, limits.max, tensor.shape, tensor.dtype.label, endpoint=True
            )
        elif tensor.dtype is DType.FLOAT32:
            drawn[tensor.name] = rng.standard_normal(tensor.shape, np.float32)
        else:
            raise ModelRefused(
                f"input {tensor.name!r} is {tensor.dtype.label}: bring values for it with --input"
            )
    return drawn
