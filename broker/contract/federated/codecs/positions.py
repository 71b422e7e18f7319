"""Ascending positions as bytes: Elias-Fano, about 2 + log₂(length / count) bits each.

Of every position the low bits, as many as log₂(length / count) rounded down, are stored as they
are; the high rest in unary, as the gaps between ones of a bit string. Bits fill bytes from the
lowest; what is left of a last byte is 0.
"""

import numpy as np
import numpy.typing as npt

from broker.contract.federated.codecs.codec import check_length
from broker.contract.federated.codecs.spec import low_bits, position_bytes
from broker.contract.federated.errors import CodecError

Positions = npt.NDArray[np.int64]


def pack_positions(positions: Positions, length: int) -> bytes:
    """Positions, strictly ascending and below `length`, to bytes."""
    count = positions.size
    if not count:
        return b""
    low = low_bits(length, count)
    lows = (positions[:, None] >> np.arange(low)) & 1
    highs = np.zeros(count + ((length - 1) >> low), np.uint8)
    highs[(positions >> low) + np.arange(count)] = 1
    return _pack(lows.astype(np.uint8).reshape(-1)) + _pack(highs)


def unpack_positions(data: bytes, length: int, count: int, what: str) -> Positions:
    """The inverse of `pack_positions`, of bytes from outside.

    Raises:
        CodecError: the bytes are not exactly `count` ascending positions below `length`.
    """
    check_length(data, position_bytes(length, count), what)
    if not count:
        return np.empty(0, np.int64)
    low = low_bits(length, count)
    split = -(-count * low // 8)
    bits = np.unpackbits(np.frombuffer(data, np.uint8, split), bitorder="little")
    ones = np.flatnonzero(
        np.unpackbits(np.frombuffer(data, np.uint8, offset=split), bitorder="little")
    )
    if ones.size != count or bits[count * low :].any():
        raise CodecError(f"{what}: must hold {count} positions and nothing else")
    lows = bits[: count * low].reshape(count, low) @ (1 << np.arange(low))
    positions: Positions = (ones - np.arange(count) << low) + lows
    if positions[-1] >= length or (np.diff(positions) <= 0).any():
        raise CodecError(f"{what}: positions must ascend and stay below {length}")
    return positions


def _pack(bits: npt.NDArray[np.uint8]) -> bytes:
    return np.packbits(bits, bitorder="little").tobytes()
