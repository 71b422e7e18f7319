"""Robust rules over the updates of a round, looked at a slice at a time.

Memory is (devices × slice) and, for Krum, (devices × devices); never devices × model.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from broker.aggregator.options import Bound, checked
from broker.aggregator.sums import Reals
from broker.contract.federated.codecs.bits import update_seed
from broker.contract.federated.codecs.codec import Codec
from broker.contract.federated.errors import JobError
from broker.contract.federated.job import JobSpec, RobustSpec

Rows = npt.NDArray[np.float32]
"""float32[devices, length]: one slice of every update, devices in the order of their names."""

Slices = Callable[[], Iterable[Rows]]
"""All slices in order; may be called more than once."""


def stacked(
    spec: JobSpec,
    codec: Codec,
    round_seed: str,
    devices: Sequence[str],
    data: Callable[[str, int], bytes],
) -> Iterator[Rows]:
    """Each slice of every update, decoded; the norms are not clipped, the rules do without."""
    cut = spec.cut
    for number in range(cut.count):
        index, vector = cut.index_of(number), cut.vector_of(number)
        yield np.stack(
            [
                codec.decode(
                    data(device, number),
                    cut.length(index),
                    index,
                    update_seed(codec.name, round_seed, vector, device),
                ).values()
                for device in devices
            ]
        )


def median(rows: Rows) -> Reals:
    """The median of each coordinate (Yin et al. 2018, "Byzantine-Robust Distributed …")."""
    return np.median(rows.astype(np.float64), axis=0)


def trimmed_mean(rows: Rows, share: float) -> Reals:
    """The mean of each coordinate without the lowest and highest ⌊share · n⌋ (Yin et al. 2018)."""
    cut = min(int(share * len(rows)), (len(rows) - 1) // 2)
    ordered = np.sort(rows.astype(np.float64), axis=0)[cut : len(rows) - cut]
    middle: Reals = ordered.mean(axis=0)
    return middle


def krum_chosen(slices: Iterable[Rows], liars: int, keep: int) -> list[int]:
    """The `keep` updates that lie closest to their neighbours.

    Blanchard et al. 2017, "Machine Learning with Adversaries": the score of an update is the sum of
    its squared distances to the n − f − 2 nearest others. Ties go to the earlier name.
    """
    distances: Reals | None = None
    for rows in slices:
        exact = rows.astype(np.float64)
        part = np.stack([np.square(exact - row).sum(axis=1) for row in exact])
        distances = part if distances is None else distances + part
    assert distances is not None, "a vector has slices"
    count = len(distances)
    np.fill_diagonal(distances, np.inf)
    nearest = max(1, count - liars - 2)
    scores = np.sort(distances, axis=1)[:, :nearest].sum(axis=1)
    return sorted(np.argsort(scores, kind="stable")[:keep].tolist())


class Rule(NamedTuple):
    """A rule's options, and how many updates it needs at least."""

    options: Mapping[str, Bound]
    needs: Callable[[Mapping[str, float]], int]


RULES: dict[str, Rule] = {
    "median": Rule({}, lambda _: 3),
    "trimmed_mean": Rule({"share": Bound(0.1, 0, 0.49)}, lambda _: 3),
    "krum": Rule(
        {"liars": Bound(None, 0, 1e5), "keep": Bound(1, 1, 1e6)},
        lambda options: int(2 * options["liars"] + 3),
    ),
}


def rule_options(spec: RobustSpec) -> dict[str, float]:
    """The options of a job's rule, with their defaults.

    Raises:
        JobError: not one of its options.
    """
    known = RULES.get(spec.rule)
    return checked(spec.options, known.options if known else {}, "robust.options")


def check_quorum(spec: RobustSpec, quorum: int) -> None:
    """Refuse a quorum that a rule cannot work with.

    Raises:
        JobError: it is too small.
    """
    options = rule_options(spec)
    if spec.rule in RULES and quorum < (needs := RULES[spec.rule].needs(options)):
        raise JobError(f"participation.quorum: {spec.rule} needs at least {needs} updates")


def robust_mean(spec: RobustSpec, slices: Slices) -> Reals:
    """What a rule makes of the updates of a round.

    Args:
        spec: with a rule.
        slices: gives float32[devices, length] of each slice, in order.

    Returns:
        float64 of all slices together.
    """
    options = rule_options(spec)
    if spec.rule == "median":
        return np.concatenate([median(rows) for rows in slices()])
    if spec.rule == "trimmed_mean":
        share = options["share"]
        return np.concatenate([trimmed_mean(rows, share) for rows in slices()])
    chosen = krum_chosen(slices(), int(options["liars"]), int(options["keep"]))
    return np.concatenate([rows[chosen].astype(np.float64).mean(axis=0) for rows in slices()])
