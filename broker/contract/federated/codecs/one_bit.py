"""One bit a parameter: DRIVE, "One-bit Distributed Mean Estimation", Vargaftik et al. 2021.

A slice x is padded with zeros to d, a power of two, and rotated: y = H D x, with H the Hadamard
matrix of ±1 and D random signs from the seed. The signs of y are sent, and the scale that makes the
estimate unbiased: x̂ = D H sign(y) · |x|² / |y|₁, where |·|₁ sums magnitudes. The mean squared error
is about (π/2 − 1) |x|², whatever x is.

On the wire: that quotient as float32, then d bits, 1 for negative, the lowest bit first. H sign(y)
is a vector of integers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from broker.contract.federated.codecs.bits import random_bytes
from broker.contract.federated.codecs.codec import (
    MAX_VALUE,
    Decoded,
    Sums,
    Vector,
    check_length,
    check_vector,
    check_weight,
    to_fixed,
    to_values,
)
from broker.contract.federated.codecs.hadamard import transform, transform_signs
from broker.contract.federated.codecs.spec import CodecName, padded
from broker.contract.federated.errors import CodecError
from broker.contract.federated.slices import Cut


@dataclass(frozen=True)
class Rotated:
    """Integers that share one step; see `Decoded`."""

    integers: npt.NDArray[np.int32]
    quantum: int

    def add_to(self, sums: Sums, weight: int) -> None:
        """Add weighted values."""
        check_weight(weight)
        sums += np.multiply(self.integers, np.int64(self.quantum * weight), dtype=np.int64)

    def values(self) -> Vector:
        """The values."""
        return to_values(np.multiply(self.integers, np.int64(self.quantum), dtype=np.int64))


class OneBit:
    """One bit a parameter and one float32 a slice; see `Codec`."""

    name: CodecName = "one_bit"

    def encode(self, vector: Vector, cut: Cut, seed: int) -> list[bytes]:
        """Encode; a slice whose norm is beyond about 0.8 MAX_VALUE is refused."""
        check_vector(vector, cut)
        return [_encode(vector[cut.span(at)], at, seed) for at in range(cut.per_vector)]

    def decode(self, data: bytes, length: int, index: int, seed: int) -> Decoded:
        """Decode."""
        size = padded(length)
        check_length(data, 4 + (size + 7) // 8, "one_bit")
        step = np.frombuffer(data, "<f4", 1)
        if not 0 <= float(step[0]) * size <= MAX_VALUE:
            raise CodecError(f"one_bit: the scale is not finite, negative or above {MAX_VALUE}/d")
        bits = np.frombuffer(data, np.uint8, offset=4)
        if size < 8 and bits[0] >> size:
            raise CodecError("one_bit: a bit after the last sign is set")
        back = transform_signs(_plus_minus(bits, size))[:length]
        back *= _plus_minus(_flips(seed, index, size), length)
        return Rotated(back.astype(np.int32), int(to_fixed(step)[0]))


def _encode(values: Vector, index: int, seed: int) -> bytes:
    size = padded(values.size)
    flipped = np.zeros(size, np.float32)
    flipped[: values.size] = values * _plus_minus(_flips(seed, index, size), values.size)
    rotated = transform(flipped)
    spread = np.abs(rotated).sum(dtype=np.float64)
    energy = np.square(values, dtype=np.float64).sum()
    step = np.float32(energy / spread if spread else 0)
    if not float(step) * size <= MAX_VALUE:
        raise CodecError(f"one_bit: slice {index} has a norm of {energy**0.5:.0f}, clip it below")
    return step.tobytes() + np.packbits(rotated < 0, bitorder="little").tobytes()


def _flips(seed: int, index: int, size: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(random_bytes(seed, index, "flip", (size + 7) // 8), np.uint8)


def _plus_minus(bits: npt.NDArray[np.uint8], count: int) -> Vector:
    ones = np.unpackbits(bits, count=count, bitorder="little")
    return np.float32(1) - np.float32(2) * ones.astype(np.float32)
