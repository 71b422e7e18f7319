"""Whether this aggregator can run a job at all: what the contract leaves to it."""

from broker.aggregator.privacy.accountant import would_exceed
from broker.aggregator.robust.rules import check_quorum
from broker.aggregator.strategies.choose import strategy_of
from broker.contract.federated.errors import JobError
from broker.contract.federated.job import JobSpec


def check_runnable(spec: JobSpec) -> None:
    """Refuse what no round could do.

    Raises:
        JobError: an unknown strategy or option, or things that do not go together.
    """
    strategy_of(spec.strategy)
    check_quorum(spec.robust, spec.participation.quorum)
    if spec.strategy.name == "fedprox" and not spec.local.prox_mu:
        raise JobError("local.prox_mu: must be above 0 for fedprox")
    if spec.privacy.mode == "central":
        if spec.robust.rule != "none":
            raise JobError("robust.rule: its sensitivity is not that of a sum; use none or local")
        if spec.strategy.name == "scaffold":
            raise JobError("strategy.name: scaffold sums two vectors; central noise covers one")
    if spec.privacy.mode == "local" and spec.strategy.name == "scaffold":
        raise JobError("strategy.name: scaffold sends two vectors; local noise covers one")
    if why := would_exceed(spec.privacy, 0):
        raise JobError(f"privacy.max_epsilon: {why}")
