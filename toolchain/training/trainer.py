"""From a network to a trainer module."""

from toolchain.training.encode import encode
from toolchain.training.join import join
from toolchain.training.network import Network

TARGETS = ("scalar", "simd")


def to_trainer(network: Network, engine: bytes, name: str, target: str) -> bytes:
    """Join a network and the prebuilt trainer of a target, one of `TARGETS`; no compiler is needed.

    Raises:
        ModelRefused: the network does not fit together, or is too large.
    """
    description, counts = encode(network)
    return join(engine, description, counts.arena_bytes, name, target)
