"""Values as int8 or int4 in blocks of 256, each block with one float32 scale.

On the wire: the scales, then the integers. int4 has two values a byte, the first in the low half.
A scale is the largest magnitude of its block over 127 or 7, so -128 and -8 never occur. Stochastic
rounding makes the expectation of every value exact (QSGD, Alistarh et al. 2017).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from broker.contract.federated.codecs.bits import fractions
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
from broker.contract.federated.codecs.spec import BLOCK, CodecName, value_bytes
from broker.contract.federated.errors import CodecError
from broker.contract.federated.slices import Cut

Integers = npt.NDArray[np.int8]
HIGHEST = {8: 127, 4: 7}


@dataclass(frozen=True)
class Blocks:
    """Integers in blocks, and what one step is in each; see `Decoded`."""

    integers: Integers
    quanta: Sums

    def add_to(self, sums: Sums, weight: int) -> None:
        """Add weighted values."""
        check_weight(weight)
        steps, count = self.quanta * weight, self.integers.size
        whole = count - count % BLOCK
        if whole:
            rows = self.integers[:whole].reshape(-1, BLOCK)
            sums[:whole].reshape(-1, BLOCK)[...] += np.multiply(
                rows, steps[: len(rows), None], dtype=np.int64
            )
        if whole < count:
            sums[whole:] += np.multiply(self.integers[whole:], steps[-1], dtype=np.int64)

    def values(self) -> Vector:
        """The values."""
        return to_values(self.fixed())

    def fixed(self) -> Sums:
        """int64[length] in units of 2^-FRACTION_BITS."""
        return self.integers * np.repeat(self.quanta, BLOCK)[: self.integers.size]


def pack(values: Vector, bits: int, fraction: Vector | np.float32) -> bytes:
    """Values to scales and integers; `fraction` in [0, 1) is added before rounding down."""
    count, highest = values.size, HIGHEST[bits]
    blocks = -(-count // BLOCK)
    rows = np.zeros((blocks, BLOCK), np.float32)
    rows.reshape(-1)[:count] = values
    scales: Vector = np.abs(rows).max(axis=1) / np.float32(highest)
    # A scale so small that its inverse overflows is far below one unit of the sums.
    scales[scales < 2.0**-100] = 0
    inverse = np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=scales > 0)
    rows *= inverse[:, None]
    flat = rows.reshape(-1)[:count]
    flat += fraction
    integers = np.clip(np.floor(flat), -highest, highest).astype(np.int8)
    data = integers.tobytes() if bits == 8 else _nibbles(integers)
    return scales.astype("<f4").tobytes() + data


def unpack(data: bytes, count: int, bits: int, what: str) -> Blocks:
    """The inverse of `pack`, of bytes from outside.

    Raises:
        CodecError: another length, a scale or an integer that no encoder writes.
    """
    check_length(data, value_bytes(count, bits), what)
    highest = HIGHEST[bits]
    blocks = -(-count // BLOCK)
    scales = np.frombuffer(data, "<f4", blocks)
    # Half a step more than MAX_VALUE: the quotient was rounded.
    if blocks and not (scales.min() >= 0 and float(scales.max()) * highest <= MAX_VALUE * 1.0001):
        raise CodecError(f"{what}: a scale is not finite, negative or above {MAX_VALUE / highest}")
    integers = (
        np.frombuffer(data, np.int8, count, 4 * blocks)
        if bits == 8
        else _from_nibbles(data[4 * blocks :], count, what)
    )
    if count and integers.min() < -highest:
        raise CodecError(f"{what}: an integer is below {-highest}")
    return Blocks(integers, to_fixed(scales))


def _nibbles(integers: Integers) -> bytes:
    halves = np.zeros(-(-integers.size // 2) * 2, np.uint8)
    halves[: integers.size] = integers.view(np.uint8) & 15
    low, high = halves[0::2], halves[1::2]
    high <<= 4
    return (low | high).tobytes()


def _from_nibbles(data: bytes, count: int, what: str) -> Integers:
    octets = np.frombuffer(data, np.uint8)
    halves = np.empty(2 * octets.size, np.uint8)
    halves[0::2], halves[1::2] = octets << 4, octets & 0xF0
    integers = halves.view(np.int8) >> 4
    if integers[count:].any():
        raise CodecError(f"{what}: the half byte after the last value is not 0")
    return integers[:count]


@dataclass(frozen=True)
class Quantized:
    """int8 or int4; see `Codec`."""

    name: CodecName
    bits: int
    stochastic: bool

    def encode(self, vector: Vector, cut: Cut, seed: int) -> list[bytes]:
        """Encode."""
        check_vector(vector, cut)
        return [self._slice(vector[cut.span(at)], at, seed) for at in range(cut.per_vector)]

    def decode(self, data: bytes, length: int, index: int, seed: int) -> Decoded:
        """Decode."""
        return unpack(data, length, self.bits, self.name)

    def _slice(self, values: Vector, index: int, seed: int) -> bytes:
        return pack(values, self.bits, rounding(values.size, index, seed, self.stochastic))


def rounding(count: int, index: int, seed: int, stochastic: bool) -> Vector | np.float32:
    """What `pack` adds before it rounds down."""
    return fractions(seed, index, count) if stochastic else np.float32(0.5)
