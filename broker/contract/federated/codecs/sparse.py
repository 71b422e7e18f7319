"""A few values at known positions: what top_k and random_k share."""

from dataclasses import dataclass

import numpy as np

from broker.contract.federated.codecs.codec import (
    Sums,
    Vector,
    check_length,
    check_values,
    check_weight,
    to_fixed,
    to_values,
)
from broker.contract.federated.codecs.positions import Positions
from broker.contract.federated.codecs.quantized import pack, unpack


@dataclass(frozen=True)
class Sparse:
    """Values at positions of a slice that is 0 elsewhere; see `Decoded`."""

    length: int
    positions: Positions
    fixed: Sums

    def add_to(self, sums: Sums, weight: int) -> None:
        """Add weighted values."""
        check_weight(weight)
        sums[self.positions] += self.fixed * weight

    def values(self) -> Vector:
        """The values."""
        dense = np.zeros(self.length, np.float32)
        dense[self.positions] = to_values(self.fixed)
        return dense


def pack_values(values: Vector, bits: int, fraction: Vector | np.float32) -> bytes:
    """Values as float32 or as `pack` writes them."""
    return values.astype("<f4").tobytes() if bits == 32 else pack(values, bits, fraction)


def unpack_values(data: bytes, count: int, bits: int, what: str) -> Sums:
    """The inverse of `pack_values`, of bytes from outside, in units of the sums.

    Raises:
        CodecError: another length, or a number out of bounds.
    """
    if bits != 32:
        return unpack(data, count, bits, what).fixed()
    check_length(data, 4 * count, what)
    floats = np.frombuffer(data, "<f4").astype(np.float32)
    check_values(floats)
    return to_fixed(floats)
