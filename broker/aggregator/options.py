"""The numbers that a job may set of a strategy or a rule, and what they may be."""

from collections.abc import Mapping
from typing import NamedTuple

from broker.contract.federated.errors import JobError


class Bound(NamedTuple):
    """An option; without a default it must be given."""

    default: float | None
    minimum: float
    maximum: float


def checked(given: Mapping[str, float], known: Mapping[str, Bound], where: str) -> dict[str, float]:
    """All options that are known, as given or by default.

    Raises:
        JobError: one is unknown, missing, or out of its bounds.
    """
    if strange := sorted(given.keys() - known.keys()):
        has = ", ".join(known) or "none"
        raise JobError(f"{where}.{strange[0]}: is unknown here; there are: {has}")
    values: dict[str, float] = {}
    for name, bound in known.items():
        value = given.get(name, bound.default)
        if value is None:
            raise JobError(f"{where}.{name}: is missing")
        if not bound.minimum <= value <= bound.maximum:
            raise JobError(f"{where}.{name}: must be {bound.minimum:g} to {bound.maximum:g}")
        values[name] = value
    return values
