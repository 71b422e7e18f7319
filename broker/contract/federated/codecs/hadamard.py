"""The Walsh-Hadamard transform: multiplication by the Sylvester matrix of ±1, unnormalized.

Twice gives the values back, times their count. Two ways to the same end: `transform` adds in one
fixed order, so floats come out the same on every machine; `transform_signs` leaves the order to
the matrix product, which is quicker, and exact where sums are small integers.
"""

from functools import cache

import numpy as np

from broker.contract.federated.codecs.codec import Vector


def transform(values: Vector) -> Vector:
    """Transform float32 by sums and differences of two.

    Args:
        values: a power of two of them.
    """
    here, there = values, np.empty_like(values)
    width = values.size
    while width > 1:
        # Pairs lie as far apart as they can, so that every pass runs along contiguous memory.
        pairs, sums = here.reshape(2, -1), there.reshape(-1, 2)
        np.add(pairs[0], pairs[1], out=sums[:, 0])
        np.subtract(pairs[0], pairs[1], out=sums[:, 1])
        here, there = there, (np.empty_like(values) if here is values else here)
        width //= 2
    return here


def transform_signs(signs: Vector) -> Vector:
    """Transform values of ±1, exactly: every partial sum is an integer below 2^24.

    Args:
        signs: a power of two of them, at most 2^24.
    """
    rows = 1 << (signs.size.bit_length() // 2)
    table = signs.reshape(rows, -1)
    halfway: Vector = np.matmul(sylvester(rows), table)
    whole: Vector = np.matmul(halfway, sylvester(table.shape[1]))
    return whole.reshape(-1)


@cache
def sylvester(size: int) -> Vector:
    """The matrix itself, of a power of two of rows."""
    if size == 1:
        return np.ones((1, 1), np.float32)
    half = sylvester(size // 2)
    return np.block([[half, half], [half, -half]])
