"""What every codec offers, and the fixed point in which updates are summed.

A sum is int64 in units of 2^-FRACTION_BITS. A codec turns each value into an integer of these
units first and multiplies by the weight afterwards, so the sum of many updates is the same in any
order and on every machine.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from broker.contract.federated.codecs.spec import CodecName
from broker.contract.federated.errors import CodecError
from broker.contract.federated.slices import Cut
from broker.contract.federated.update import MAX_EXAMPLES

FRACTION_BITS = 32
MAX_VALUE = 2**10
"""No parameter of an update is larger than this."""

Vector = npt.NDArray[np.float32]
Sums = npt.NDArray[np.int64]


class Decoded(Protocol):
    """One slice that has been checked; nothing that it does can fail or overflow int64."""

    def add_to(self, sums: Sums, weight: int) -> None:
        """Add `weight` times the values, in units of 2^-FRACTION_BITS, to `sums` in place.

        Args:
            sums: int64[length]; the caller sees to it that the total stays below 2^63.
            weight: 1 to 2^20.

        Raises:
            CodecError: the weight is out of bounds.
        """

    def values(self) -> Vector:
        """The same values as a new float32[length], for rules that look at each update."""


class Codec(Protocol):
    """How one job's updates become bytes and back."""

    @property
    def name(self) -> CodecName:
        """What the job calls it."""

    def encode(self, vector: Vector, cut: Cut, seed: int) -> list[bytes]:
        """Encode the update of one vector.

        Args:
            vector: float32[cut.parameters].
            cut: where its slices begin and end.
            seed: 64 bits from `update_seed`; the same seed gives the same bytes.

        Returns:
            The codec's bytes of each slice.

        Raises:
            CodecError: a value is not finite or beyond ±MAX_VALUE.
        """

    def decode(self, data: bytes, length: int, index: int, seed: int) -> Decoded:
        """Check and decode one slice from outside.

        Args:
            data: the codec's bytes.
            length: parameters in this slice.
            index: which slice of its vector.
            seed: what it was encoded with.

        Raises:
            CodecError: the bytes are not those of such a slice.
        """


def check_vector(vector: Vector, cut: Cut) -> None:
    """Refuse a vector that cannot be encoded.

    Raises:
        CodecError: another shape or dtype, or a value that is not finite or beyond ±MAX_VALUE.
    """
    if vector.dtype != np.float32 or vector.shape != (cut.parameters,):
        raise CodecError(
            f"update is {vector.dtype}{list(vector.shape)}, must be float32[{cut.parameters}]"
        )
    check_values(vector)


def check_values(values: Vector) -> None:
    """Refuse NaN, infinities and what is beyond ±MAX_VALUE.

    Raises:
        CodecError: there is one.
    """
    if values.size and not (values.max() <= MAX_VALUE and values.min() >= -MAX_VALUE):
        raise CodecError(f"a value is not finite or beyond ±{MAX_VALUE}")


def check_weight(weight: int) -> None:
    """Refuse a weight that would let a sum overflow.

    Raises:
        CodecError: it is not 1 to 2^20.
    """
    if not 1 <= weight <= MAX_EXAMPLES:
        raise CodecError(f"weight must be 1 to {MAX_EXAMPLES}, got {weight}")


def check_length(data: bytes, expected: int, what: str) -> None:
    """Refuse data of another length.

    Raises:
        CodecError: it is longer or shorter.
    """
    if len(data) != expected:
        raise CodecError(f"{what}: must be {expected} bytes, got {len(data)}")


def to_fixed(values: npt.NDArray[np.floating]) -> Sums:
    """Values to integers of 2^-FRACTION_BITS, ties to even; exact for every float32."""
    return np.rint(values.astype(np.float64) * 2.0**FRACTION_BITS).astype(np.int64)


def to_values(fixed: Sums) -> Vector:
    """Integers of 2^-FRACTION_BITS to float32."""
    return (fixed * 2.0**-FRACTION_BITS).astype(np.float32)
