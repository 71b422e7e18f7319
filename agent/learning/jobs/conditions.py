"""Whether the device may train now: its power, what else it does, and what runs a trainer."""

from collections.abc import Collection
from dataclasses import dataclass

from agent.config.learning import LearningConfig
from broker.contract.blobs import BlobRef
from broker.contract.federated.job import ModelSpec

SIMD, SCALAR = "simd", "scalar"
TARGETS = {"wasmtime": (SIMD, SCALAR), "wasm3": (SCALAR,)}
"""Modules that each runtime takes, the faster first."""


@dataclass(frozen=True)
class Conditions:
    """What the machine says.

    Attributes:
        on_battery: it has a battery, and no supply that charges it.
        load: of each core, averaged over a minute.
    """

    on_battery: bool = False
    load: float = 0.0


def hindrance(config: LearningConfig, now: Conditions, *, begins: bool) -> str | None:
    """Why the device may not train; its own training is load, so that counts before it only."""
    if config.power == "mains" and now.on_battery:
        return "on battery"
    if begins and config.idle_load is not None and now.load >= config.idle_load:
        return "not idle"
    return None


def trainer_of(
    model: ModelSpec, wanted: str, runtimes: Collection[str]
) -> tuple[str, BlobRef] | None:
    """The runtime and the module that this machine trains with; None: it has no fitting pair."""
    for runtime, targets in TARGETS.items():
        if runtime in runtimes and wanted in ("auto", runtime):
            for target in targets:
                if target in model.trainers:
                    return runtime, model.trainers[target]
    return None
