"""From the sums of a round to the next model; the same bytes however often it is done."""

import numpy as np

from broker.aggregator.job.vectors import Vectors
from broker.aggregator.robust.rules import Slices, robust_mean
from broker.aggregator.strategies.choose import strategy_of
from broker.aggregator.strategies.step import Mean
from broker.aggregator.sums import Total
from broker.contract.federated.codecs.codec import MAX_VALUE
from broker.contract.federated.errors import UpdateError
from broker.contract.federated.job import JobSpec
from broker.contract.federated.noise import gaussian


def next_vectors(
    spec: JobSpec, before: Vectors, total: Total, updates: int, key: bytes, slices: Slices
) -> Vectors:
    """Take the step of the job's strategy.

    Args:
        before: model and state of the round.
        total: its sums, empty under a robust rule.
        updates: how many there were.
        key: the secret of its noise.
        slices: float32[devices, length] of each slice of its updates, for a robust rule.

    Raises:
        UpdateError: the new model is not finite.
    """
    size = spec.model.parameters
    if spec.robust.rule != "none":
        both = robust_mean(spec.robust, slices)
        mean = Mean(both[:size], updates, both[size:] if spec.cut.vectors > 1 else None)
    else:
        weight = float(total.weight)
        if spec.privacy.mode == "central":
            assert spec.privacy.clip_norm is not None, "the contract checks it"
            deviation = spec.privacy.noise_multiplier * spec.privacy.clip_norm
            total.fixed[:size] += gaussian(key, "sum", size, deviation)
            weight = float(spec.participation.goal)
        control = total.mean(1, weight) if spec.cut.vectors > 1 else None
        mean = Mean(total.mean(0, weight), updates, control)
    step, options = strategy_of(spec.strategy)
    with np.errstate(over="ignore", invalid="ignore"):
        model, state = step(before.model, before.state, mean, options)
    if not np.abs(model).max() <= MAX_MODEL:
        raise UpdateError(f"the model of this round is not finite or beyond ±{MAX_MODEL:g}")
    return Vectors(model, state)


MAX_MODEL = float(MAX_VALUE) * 1e6
"""Training that has come so far does not come back."""
