"""The codec that loses nothing: little-endian float32."""

from dataclasses import dataclass

import numpy as np

from broker.contract.federated.codecs.codec import (
    Decoded,
    Sums,
    Vector,
    check_length,
    check_values,
    check_vector,
    check_weight,
    to_fixed,
)
from broker.contract.federated.codecs.spec import CodecName
from broker.contract.federated.slices import Cut


@dataclass(frozen=True)
class Floats:
    """A slice of float32; see `Decoded`."""

    floats: Vector

    def add_to(self, sums: Sums, weight: int) -> None:
        """Add weighted values."""
        check_weight(weight)
        sums += to_fixed(self.floats) * weight

    def values(self) -> Vector:
        """The values."""
        return self.floats.copy()


class F32:
    """Four bytes a parameter; see `Codec`."""

    name: CodecName = "f32"

    def encode(self, vector: Vector, cut: Cut, seed: int) -> list[bytes]:
        """Encode."""
        check_vector(vector, cut)
        return [vector[cut.span(at)].astype("<f4").tobytes() for at in range(cut.per_vector)]

    def decode(self, data: bytes, length: int, index: int, seed: int) -> Decoded:
        """Decode."""
        check_length(data, 4 * length, "f32")
        floats = np.frombuffer(data, "<f4").astype(np.float32)
        check_values(floats)
        return Floats(floats)
