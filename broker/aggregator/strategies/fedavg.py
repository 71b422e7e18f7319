"""Averaging, with or without momentum at the server."""

import numpy as np

from broker.aggregator.strategies.step import Mean, Options, State
from broker.contract.federated.codecs.codec import Vector


def fedavg(model: Vector, state: State, mean: Mean, options: Options) -> tuple[Vector, State]:
    """Add the mean update (McMahan et al. 2017, "Communication-Efficient Learning …").

    FedProx (Li et al. 2020, "Federated Optimization in Heterogeneous Networks") is the same at the
    server: its term stands in the loss of the devices, `local.prox_mu`.
    """
    return (model + options["server_rate"] * mean.update).astype(np.float32), state


def fedavgm(model: Vector, state: State, mean: Mean, options: Options) -> tuple[Vector, State]:
    """Add a momentum of mean updates (Hsu et al. 2019, "Measuring the Effects of Non-Identical …").

    v ← β v + Δ; x ← x + η v.
    """
    before = state.get("momentum", np.zeros_like(mean.update))
    momentum = options["momentum"] * before + mean.update
    new = model + options["server_rate"] * momentum
    return new.astype(np.float32), {"momentum": momentum}
