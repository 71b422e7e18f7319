"""How each strategy was set: by trying a few values (docs/explain/federated-numbers.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from broker.contract.federated.job import LocalSpec, StrategySpec


@dataclass(frozen=True)
class Setting:
    """Options of the server's step, and what differs on the devices."""

    options: Mapping[str, float] = field(default_factory=dict)
    prox_mu: float = 0.0


SETTINGS = {
    "fedavg": Setting(),
    "fedavgm": Setting({"momentum": 0.9}),
    "fedadam": Setting({"server_rate": 0.03}),
    "fedyogi": Setting({"server_rate": 0.03}),
    "fedprox": Setting(prox_mu=0.01),
    "scaffold": Setting(),
}


def setting(name: str, own: Mapping[str, float]) -> Setting:
    """A strategy's setting with a problem's own options over it."""
    base = SETTINGS[name]
    return replace(base, options={**base.options, **own})


def specs(
    name: str, chosen: Setting, local: LocalSpec, devices: int
) -> tuple[StrategySpec, LocalSpec]:
    """What a job says of strategy and local training."""
    options = dict(chosen.options) | ({"devices": devices} if name == "scaffold" else {})
    return StrategySpec(name, options), replace(local, prox_mu=chosen.prox_mu)
