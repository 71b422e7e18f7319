"""Values at positions that the seed of the round chooses, the same for every device.

Only values travel, and sums of updates are sums of these values, so this is the sparse codec that
works where an aggregator may see sums only. Of n parameters k are sent: the slice is divided into k
stretches of nearly equal length, and one position of each is chosen. That costs k random numbers
instead of n and has the same expectation and variance as k of n; each value is multiplied by the
length of its stretch, which makes the expectation over seeds exact. On the wire of a slice: the
values in order of position, as float32 or in blocks.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from broker.contract.federated.codecs.bits import random_bytes
from broker.contract.federated.codecs.codec import Decoded, Vector, check_values, check_vector
from broker.contract.federated.codecs.positions import Positions
from broker.contract.federated.codecs.quantized import rounding
from broker.contract.federated.codecs.sparse import Sparse, pack_values, unpack_values
from broker.contract.federated.codecs.spec import CodecName, kept
from broker.contract.federated.slices import Cut


@dataclass(frozen=True)
class RandomK:
    """A random share of every slice; see `Codec`."""

    fraction: float
    bits: int
    stochastic: bool
    name: CodecName = "random_k"

    def encode(self, vector: Vector, cut: Cut, seed: int) -> list[bytes]:
        """Encode; a value beyond about MAX_VALUE · fraction is refused when it is chosen."""
        check_vector(vector, cut)
        return [self._slice(vector[cut.span(at)], at, seed) for at in range(cut.per_vector)]

    def decode(self, data: bytes, length: int, index: int, seed: int) -> Decoded:
        """Decode."""
        count = kept(length, self.fraction)
        fixed = unpack_values(data, count, self.bits, "random_k")
        return Sparse(length, chosen(seed, index, length, count)[0], fixed)

    def _slice(self, values: Vector, index: int, seed: int) -> bytes:
        count = kept(values.size, self.fraction)
        positions, lengths = chosen(seed, index, values.size, count)
        picked = values[positions] * lengths.astype(np.float32)
        check_values(picked)
        return pack_values(picked, self.bits, rounding(count, index, seed, self.stochastic))


def chosen(
    seed: int, index: int, length: int, count: int
) -> tuple[Positions, npt.NDArray[np.int64]]:
    """One position of each of `count` stretches, ascending, and the lengths of the stretches.

    Stretch j reaches from ⌊j · length / count⌋ to the next one's start. Of a stretch of m, with w
    the j-th little-endian uint32 of the stream "choose", the position ⌊w · m / 2³²⌋ is chosen.
    """
    starts = np.arange(count + 1) * length // count
    lengths = np.diff(starts)
    words = np.frombuffer(random_bytes(seed, index, "choose", 4 * count), "<u4").astype(np.int64)
    return starts[:-1] + (words * lengths >> 32), lengths
