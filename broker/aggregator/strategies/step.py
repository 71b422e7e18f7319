"""What every strategy takes and returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from broker.aggregator.sums import Reals
from broker.contract.federated.codecs.codec import Vector

State = Mapping[str, Reals]
"""What a strategy keeps from round to round: float64[P] by name, nothing at first."""

Options = Mapping[str, float]


@dataclass(frozen=True)
class Mean:
    """What a round's updates come to.

    Attributes:
        update: float64[P].
        updates: how many devices.
        control: float64[P] of SCAFFOLD, the mean of what changed in the devices' control variates.
    """

    update: Reals
    updates: int
    control: Reals | None = None


Step = Callable[[Vector, State, Mean, Options], tuple[Vector, State]]
"""Global parameters float32[P], state, mean and options to the next parameters and state."""
