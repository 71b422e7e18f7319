"""Who takes part in a round: every device decides for itself, and all can check it."""

from hashlib import sha256

from broker.contract.federated.job import ParticipationSpec


def share_of(wanted: ParticipationSpec) -> float:
    """The share of eligible devices that takes part."""
    return min(1.0, wanted.fraction * wanted.over_selection)


def takes_part(device: str, job: str, number: int, seed: str, share: float) -> bool:
    """Whether a device takes part in a round.

    The first 64 bits of SHA-256 over `device/job/round/seed`, read as a fraction of one, lie below
    the share. The seed of a round is not known before it opens, so no device can choose a name
    that is always chosen.
    """
    told = sha256(f"{device}/{job}/{number}/{seed}".encode()).digest()
    return share >= 1 or int.from_bytes(told[:8], "big") / 2**64 < share
