"""Control variates: Karimireddy et al. 2020, "SCAFFOLD: Stochastic Controlled Averaging …"."""

import numpy as np

from broker.aggregator.strategies.step import Mean, Options, State
from broker.contract.federated.codecs.codec import Vector

CONTROL = "control"
"""The key of c in the state; devices get it as a blob of float32."""


def scaffold(model: Vector, state: State, mean: Mean, options: Options) -> tuple[Vector, State]:
    """SCAFFOLD: x ← x + η Σ Δy / |S|; c ← c + Σ Δc / N, with N the option `devices`."""
    assert mean.control is not None, "the job has two vectors"
    before = state.get(CONTROL, np.zeros_like(mean.control))
    share = min(1.0, mean.updates / options["devices"])
    new = model + options["server_rate"] * mean.update
    return new.astype(np.float32), {CONTROL: before + share * mean.control}
