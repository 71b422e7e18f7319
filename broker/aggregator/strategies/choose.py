"""From a job's wish to the strategy that fulfils it."""

from collections.abc import Mapping
from typing import NamedTuple

from broker.aggregator.options import Bound, checked
from broker.aggregator.strategies.adaptive import fedadam, fedyogi
from broker.aggregator.strategies.fedavg import fedavg, fedavgm
from broker.aggregator.strategies.scaffold import scaffold
from broker.aggregator.strategies.step import Options, Step
from broker.contract.federated.errors import JobError
from broker.contract.federated.job import StrategySpec


class Strategy(NamedTuple):
    """A step, and the options that it takes."""

    step: Step
    options: Mapping[str, Bound]


_ADAPTIVE = {
    "server_rate": Bound(0.1, 0, 100),
    "beta1": Bound(0.9, 0, 1),
    "beta2": Bound(0.99, 0, 1),
    "tau": Bound(1e-3, 1e-12, 1),
}
_RATE = {"server_rate": Bound(1.0, 0, 100)}

STRATEGIES: dict[str, Strategy] = {
    "fedavg": Strategy(fedavg, _RATE),
    "fedprox": Strategy(fedavg, _RATE),
    "fedavgm": Strategy(fedavgm, _RATE | {"momentum": Bound(0.9, 0, 1)}),
    "fedadam": Strategy(fedadam, _ADAPTIVE),
    "fedyogi": Strategy(fedyogi, _ADAPTIVE),
    "scaffold": Strategy(scaffold, _RATE | {"devices": Bound(None, 1, 1e9)}),
}


def strategy_of(spec: StrategySpec) -> tuple[Step, Options]:
    """The step of a job, and its options with their defaults.

    Raises:
        JobError: no such strategy, or not one of its options.
    """
    known = STRATEGIES.get(spec.name)
    if known is None:
        names = ", ".join(STRATEGIES)
        raise JobError(f"strategy.name: {spec.name} is none of {names}")
    return known.step, checked(spec.options, known.options, "strategy.options")
