"""How much two arrays differ."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Difference:
    """Statistics of one tensor under two runtimes.

    Attributes:
        count: values further apart than the tolerance; a NaN equals only another NaN.
        max_abs, mean_abs: of the distance, over all values; infinite where a NaN meets a number.
        first: index of the first such value in row-major order, and both values.
    """

    count: int
    values: int
    max_abs: float
    mean_abs: float
    first: tuple[tuple[int, ...], float, float] | None


def measure(left: NDArray[Any], right: NDArray[Any], tolerance: float) -> Difference:
    """Compare two arrays of one shape.

    Args:
        tolerance: distance up to which values count as equal, in steps of an integer tensor.
    """
    a, b = (np.asarray(one, np.float64).ravel() for one in (left, right))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        distance = np.where(same, 0.0, np.abs(a - b))
    distance[np.isnan(distance)] = np.inf
    wrong = np.flatnonzero(distance > tolerance)
    first = None
    if wrong.size:
        position = np.unravel_index(wrong[0], left.shape)
        first = (tuple(map(int, position)), float(a[wrong[0]]), float(b[wrong[0]]))
    return Difference(
        count=int(wrong.size),
        values=int(a.size),
        max_abs=float(distance.max(initial=0.0)),
        mean_abs=float(distance.mean()) if a.size else 0.0,
        first=first,
    )
