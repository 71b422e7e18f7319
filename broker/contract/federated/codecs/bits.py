"""Random bits that a seed fixes, the same on every machine and in every language."""

from hashlib import sha256, shake_128

import numpy as np
import numpy.typing as npt

from broker.contract.federated.codecs.spec import CodecName


def random_bytes(seed: int, index: int, purpose: str, count: int) -> bytes:
    """Bytes of SHAKE-128 over seed, slice and purpose.

    Args:
        seed: 64 bits.
        index: of the slice in its vector.
        purpose: keeps the streams of one seed apart.
        count: how many.
    """
    head = seed.to_bytes(8, "little") + index.to_bytes(4, "little")
    return shake_128(head + purpose.encode()).digest(count)


def fractions(seed: int, index: int, count: int) -> npt.NDArray[np.float32]:
    """float32[count] uniform over the 2^16 midpoints of [0, 1), for stochastic rounding."""
    words = np.frombuffer(random_bytes(seed, index, "round", 2 * count), "<u2")
    return (words.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-16)


def update_seed(codec: CodecName, round_seed: str, vector: int, device: str) -> int:
    """The seed of one device's update; of `random_k` all devices of a round share one.

    Args:
        codec: of the job.
        round_seed: hexadecimal, as the round's message has it.
        vector: 0, or 1 for the second one.
        device: its name.
    """
    who = "" if codec == "random_k" else device
    told = sha256(f"{round_seed}/{vector}/{who}".encode()).digest()
    return int.from_bytes(told[:8], "little")
