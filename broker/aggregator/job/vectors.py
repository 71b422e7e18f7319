"""The vectors that a job keeps from round to round: the model, and its strategy's state."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from broker.aggregator.sums import Reals
from broker.contract.blobs import BlobRef, blob_ref
from broker.contract.federated.codecs.codec import Vector

MODEL = "model"
STATE = "state-"


@dataclass(frozen=True)
class Vectors:
    """The global parameters, float32[P], and what the strategy keeps, float64[P] by name."""

    model: Vector
    state: Mapping[str, Reals] = field(default_factory=dict)

    def rows(self) -> dict[str, bytes]:
        """As bytes by name, for the disk."""
        rows = {MODEL: blob(self.model)}
        return rows | {STATE + n: v.astype("<f8").tobytes() for n, v in self.state.items()}


def from_rows(rows: Mapping[str, bytes]) -> Vectors | None:
    """The inverse of `rows`; None before the first model came."""
    if MODEL not in rows:
        return None
    state = {
        name.removeprefix(STATE): np.frombuffer(data, "<f8").astype(np.float64)
        for name, data in rows.items()
        if name.startswith(STATE)
    }
    return Vectors(np.frombuffer(rows[MODEL], "<f4").astype(np.float32), state)


def blob(vector: Vector | Reals) -> bytes:
    """A vector as devices get it: little-endian float32."""
    return vector.astype("<f4").tobytes()


def ref(vector: Vector | Reals) -> BlobRef:
    """Its name."""
    return blob_ref(blob(vector))
