"""The running sums of a round: int64 fixed point, the same bytes in whatever order updates come."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from broker.contract.federated.codecs.codec import (
    FRACTION_BITS,
    MAX_VALUE,
    Decoded,
    Sums,
    Vector,
    to_fixed,
    to_values,
)
from broker.contract.federated.errors import UpdateError
from broker.contract.federated.slices import Cut

MAX_SUM = 2**63 - 1
MOST_PER_WEIGHT = int(1.01 * MAX_VALUE * 2**FRACTION_BITS)
"""What one unit of weight may add to a sum: codecs bound values to MAX_VALUE, and scales to a
quotient that may be a little above it once rounded."""

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fixed:
    """A slice that was changed after it was decoded; see `Decoded`."""

    fixed: Sums

    def add_to(self, sums: Sums, weight: int) -> None:
        """Add weighted values."""
        sums += self.fixed * weight

    def values(self) -> Vector:
        """The values."""
        return to_values(self.fixed)


class Total:
    """Sums of weighted updates.

    Attributes:
        fixed: int64[vectors · P] in units of 2^-FRACTION_BITS.
        weight: of all updates together.
    """

    def __init__(self, cut: Cut, fixed: Sums | None = None, weight: int = 0) -> None:
        """Begin with nothing, or with what a checkpoint kept."""
        self._cut = cut
        self.fixed = np.zeros(cut.vectors * cut.parameters, np.int64) if fixed is None else fixed
        self.weight = weight
        self._headroom = self._room()

    def add(self, pieces: Sequence[Decoded], weight: int) -> None:
        """Add an update.

        Args:
            pieces: all its slices in order.
            weight: 1 to 2^20.

        Raises:
            UpdateError: a sum might overflow; nothing was added.
        """
        most = weight * MOST_PER_WEIGHT
        if most > self._headroom:
            self._headroom = self._room()
        if most > self._headroom:
            raise UpdateError(f"the sums have no room for an update of weight {weight}")
        self._headroom -= most
        cut = self._cut
        for number, piece in enumerate(pieces):
            span = cut.span(cut.index_of(number))
            base = cut.vector_of(number) * cut.parameters
            piece.add_to(self.fixed[base + span.start : base + span.stop], weight)
        self.weight += weight

    def mean(self, vector: int, weight: float) -> Reals:
        """float64[P]: one vector's sum over `weight`."""
        size = self._cut.parameters
        part = self.fixed[vector * size : (vector + 1) * size]
        mean: Reals = part.astype(np.float64) * (2.0**-FRACTION_BITS) / weight
        return mean

    def _room(self) -> int:
        """How much any sum may still grow: few scans, as most updates stay far below the bound."""
        low, high = int(self.fixed.min()), int(self.fixed.max())
        return MAX_SUM - max(high, -low)


def clipped(pieces: Sequence[Decoded], cut: Cut, bound: float) -> Sequence[Decoded]:
    """Scale each vector of an update whose L2 norm exceeds `bound` down to it.

    What counts is the norm of the decoded values: quantization may lift it above that of the
    update that the device clipped. A millionth is left for the roundings of this function.
    """
    bound *= 1 - 1e-6
    kept = list(pieces)
    for vector in range(cut.vectors):
        numbers = range(vector * cut.per_vector, (vector + 1) * cut.per_vector)
        squares = (np.square(kept[n].values(), dtype=np.float64).sum() for n in numbers)
        norm = float(sum(squares)) ** 0.5
        if norm > bound:
            for n in numbers:
                values = kept[n].values().astype(np.float64)
                kept[n] = Fixed(to_fixed(values * (bound / norm)))
    return kept
