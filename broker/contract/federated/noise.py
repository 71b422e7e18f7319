"""Gaussian noise from a secret key, in the units of the sums.

The key is drawn when a round opens and kept with it: an aggregator that is killed while it closes a
round adds the same noise again, not other noise to the same sum, whose average would be less noisy.
The stream is SHAKE-256, not a generator whose state can be guessed from what it gave. Rounding to
the grid of the sums comes after, so the low bits of a float tell nothing (Mironov 2012).
"""

from hashlib import shake_256

import numpy as np
import numpy.typing as npt

from broker.contract.federated.codecs.codec import FRACTION_BITS, Sums

KEY_BYTES = 32
CHUNK = 2**16


def gaussian(key: bytes, purpose: str, count: int, deviation: float) -> Sums:
    """int64[count] of noise in units of 2^-FRACTION_BITS.

    Args:
        key: secret, KEY_BYTES long.
        purpose: keeps the streams of one key apart.
        count: how many.
        deviation: standard deviation in units of the values; a job's is at most MAX_DEVIATION.
    """
    noise = np.empty(count, np.int64)
    for at in range(0, count, CHUNK):
        part = noise[at : at + CHUNK]
        stream = shake_256(key + f"{purpose}/{at}".encode()).digest(16 * -(-part.size // 2))
        part[:] = np.rint(_normal(stream)[: part.size] * (deviation * 2.0**FRACTION_BITS))
    return noise


def _normal(stream: bytes) -> npt.NDArray[np.float64]:
    """Box–Muller: 16 bytes to two normal deviates."""
    words = np.frombuffer(stream, "<u8").reshape(-1, 2) >> np.uint64(11)
    uniform = (words.astype(np.float64) + 0.5) * 2.0**-53
    radius = np.sqrt(-2 * np.log(uniform[:, 0]))
    angle = 2 * np.pi * uniform[:, 1]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
