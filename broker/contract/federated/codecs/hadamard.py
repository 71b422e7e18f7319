"""The Walsh-Hadamard transform, exact in integers and the same on every machine in floats."""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = TypeVar("Array", bound=npt.NDArray[Any])


def transform(values: Array) -> Array:
    """Multiply by the Sylvester matrix of ±1, unnormalized: twice gives `values` times their count.

    Only sums and differences of two elements, in a fixed order.

    Args:
        values: a power of two of them; overwritten.

    Returns:
        A new array of the same dtype; integers must have room for count times the largest.
    """
    inner = 1 << (values.size.bit_length() // 2)
    # Rows first, then columns, so that both passes run along contiguous memory.
    rows = _columns(values.reshape(-1, inner))
    columns = _columns(np.ascontiguousarray(rows.T))
    joined: Array = np.ascontiguousarray(columns.T).reshape(-1)  # type: ignore[assignment]
    return joined


def _columns(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Transform every column of a table; the result may lie in either of two buffers."""
    height, width = table.shape
    here, there = table, np.empty_like(table)
    half = 1
    while half < height:
        pairs, sums = here.reshape(-1, 2, half * width), there.reshape(-1, 2, half * width)
        np.add(pairs[:, 0], pairs[:, 1], out=sums[:, 0])
        np.subtract(pairs[:, 0], pairs[:, 1], out=sums[:, 1])
        here, there = there, here
        half *= 2
    return here
