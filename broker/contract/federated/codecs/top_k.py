"""The largest values of the whole vector, with their positions.

What is not sent is not lost: with `feedback` it is added to the device's next update ("Sparsified
SGD with Memory", Stich et al. 2018). On the wire of a slice: how many as uint32, the values as
float32 or rounded to nearest in blocks, then the positions.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from broker.contract.federated.codecs.codec import Decoded, Vector, check_vector
from broker.contract.federated.codecs.positions import pack_positions, unpack_positions
from broker.contract.federated.codecs.sparse import Sparse, pack_values, unpack_values
from broker.contract.federated.codecs.spec import CodecName, value_bytes
from broker.contract.federated.errors import CodecError
from broker.contract.federated.slices import Cut

NEAREST = np.float32(0.5)


@dataclass(frozen=True)
class TopK:
    """The largest share of a vector; see `Codec`.

    Attributes:
        most: so many values of a vector are sent.
        bits: 4, 8 or 32 a value.
    """

    most: int
    bits: int
    name: CodecName = "top_k"

    def encode(self, vector: Vector, cut: Cut, seed: int) -> list[bytes]:
        """Encode."""
        check_vector(vector, cut)
        sent = largest(vector, self.most)
        return [
            self._slice(vector[cut.span(at)], sent[cut.span(at)]) for at in range(cut.per_vector)
        ]

    def decode(self, data: bytes, length: int, index: int, seed: int) -> Decoded:
        """Decode."""
        if len(data) < 4:
            raise CodecError(f"top_k: must be at least 4 bytes, got {len(data)}")
        count = int.from_bytes(data[:4], "little")
        if count > min(length, self.most):
            raise CodecError(f"top_k: {count} values exceed {min(length, self.most)}")
        split = 4 + value_bytes(count, self.bits)
        positions = unpack_positions(data[split:], length, count, "top_k")
        return Sparse(length, positions, unpack_values(data[4:split], count, self.bits, "top_k"))

    def _slice(self, values: Vector, sent: npt.NDArray[np.bool_]) -> bytes:
        positions = np.flatnonzero(sent)
        return (
            positions.size.to_bytes(4, "little")
            + pack_values(values[positions], self.bits, NEAREST)
            + pack_positions(positions, values.size)
        )


def largest(vector: Vector, most: int) -> npt.NDArray[np.bool_]:
    """Which `most` values have the largest magnitudes; of equal ones those that come first."""
    magnitudes = np.abs(vector)
    bar = np.partition(magnitudes, vector.size - most)[vector.size - most]
    sent: npt.NDArray[np.bool_] = magnitudes > bar
    level = np.flatnonzero(magnitudes == bar)
    sent[level[: most - np.count_nonzero(sent)]] = True
    sent &= magnitudes > 0
    return sent
