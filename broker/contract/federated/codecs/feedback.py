"""Error feedback: what a codec did not send this time is part of what is sent next time."""

from collections.abc import Sequence

import numpy as np

from broker.contract.federated.codecs.codec import Codec, Vector
from broker.contract.federated.slices import Cut


def decode_vector(codec: Codec, encoded: Sequence[bytes], cut: Cut, seed: int) -> Vector:
    """All slices of one vector, decoded and joined.

    Raises:
        CodecError: a slice is refused.
    """
    pieces = [codec.decode(d, cut.length(at), at, seed) for at, d in enumerate(encoded)]
    return np.concatenate([piece.values() for piece in pieces])


def encode_with_feedback(
    codec: Codec, vector: Vector, residual: Vector, cut: Cut, seed: int
) -> tuple[list[bytes], Vector]:
    """Encode an update together with what earlier ones left behind.

    Args:
        vector: float32[P], this round's update.
        residual: float32[P], what the last call returned; zeros at first.

    Returns:
        The slices, and the residual to keep once they are acknowledged: until then the old one
        counts, for an update that never arrives was not sent.

    Raises:
        CodecError: a value of the two together is not finite or beyond ±MAX_VALUE.
    """
    wanted = vector + residual
    encoded = codec.encode(wanted, cut, seed)
    return encoded, wanted - decode_vector(codec, encoded, cut, seed)
