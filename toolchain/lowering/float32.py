"""What LiteRT computes in float32, step by step in its order: the arithmetic of single rounding."""

import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]


def product_factors(left: float, right: tuple[float, ...], output: float) -> Float32s:
    """(left · right) / output for each `right`: the factor of a product's scale.

    Below the normal numbers it is 0: so little times a sum of 32 bits rounds to 0 in any case.
    """
    with np.errstate(over="ignore", under="ignore"):
        factors = np.float32(left) * np.array(right, np.float32) / np.float32(output)
    is_normal = factors >= np.finfo(np.float32).tiny
    return np.where(is_normal, factors, np.float32(0)).astype("<f4")


def ratio(numerator: float, denominator: float) -> float:
    """Divide."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(numerator) / np.float32(denominator))


def bits(value: float) -> int:
    """The bits of a float32, as the plan's int32 fields hold them."""
    return int(np.array(value, "<f4").view("<i4"))


def exponentials(steps: Float32s) -> Float32s:
    """Take exp of each step, correctly rounded as far as double precision tells."""
    with np.errstate(under="ignore"):
        return np.exp(steps.astype(np.float64)).astype(np.float32)
