"""Adaptive rates at the server: Reddi et al. 2021, "Adaptive Federated Optimization".

m ← β₁ m + (1 − β₁) Δ; v by the rule of each; x ← x + η m / (√v + τ). Both accumulators begin at 0.
"""

from collections.abc import Callable

import numpy as np

from broker.aggregator.strategies.step import Mean, Options, State
from broker.aggregator.sums import Reals
from broker.contract.federated.codecs.codec import Vector


def fedadam(model: Vector, state: State, mean: Mean, options: Options) -> tuple[Vector, State]:
    """FedAdam: v ← β₂ v + (1 − β₂) Δ²."""

    def second(before: Reals, squares: Reals) -> Reals:
        return options["beta2"] * before + (1 - options["beta2"]) * squares

    return _step(model, state, mean, options, second)


def fedyogi(model: Vector, state: State, mean: Mean, options: Options) -> tuple[Vector, State]:
    """FedYogi: v ← v − (1 − β₂) Δ² sign(v − Δ²)."""

    def second(before: Reals, squares: Reals) -> Reals:
        return before - (1 - options["beta2"]) * squares * np.sign(before - squares)

    return _step(model, state, mean, options, second)


def _step(
    model: Vector,
    state: State,
    mean: Mean,
    options: Options,
    second: Callable[[Reals, Reals], Reals],
) -> tuple[Vector, State]:
    zeros = np.zeros_like(mean.update)
    first = options["beta1"] * state.get("first", zeros) + (1 - options["beta1"]) * mean.update
    variance = second(state.get("second", zeros), np.square(mean.update))
    new = model + options["server_rate"] * first / (np.sqrt(variance) + options["tau"])
    return new.astype(np.float32), {"first": first, "second": variance}
