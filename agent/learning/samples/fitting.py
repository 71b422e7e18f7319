"""Which samples serve a job, by their labels and origins; without numpy: the main process asks."""

from collections.abc import Iterable
from hashlib import sha256

from agent.learning.samples.sample import Label
from broker.contract.federated.job import JobSpec, ModelSpec


def index_of(label: Label, model: ModelSpec) -> int | None:
    """The number of a class in a job; None if the job does not know it."""
    if not isinstance(label, str):
        return None
    if label in model.labels:
        return model.labels.index(label)
    known = len(model.labels) or 2**16
    return int(label) if label.isdecimal() and len(label) < 6 and int(label) < known else None


def fits(label: Label, model: ModelSpec) -> bool:
    """Whether a job can learn from a label."""
    if model.label_kind == 0:
        return index_of(label, model) is not None
    return isinstance(label, tuple) and len(label) == model.label_kind


def is_held_out(job: str, origin: str, share: float) -> bool:
    """Whether a sample is kept for judging: the same samples in every round of a job."""
    told = sha256(f"{job}/{origin}".encode()).digest()
    return int.from_bytes(told[:8], "big") / 2**64 < share


def shares(kept: Iterable[tuple[str, Label]], spec: JobSpec) -> tuple[int, int]:
    """How many samples a job can train on, and how many it holds out.

    Args:
        kept: origin and label of each.
    """
    fitting = [origin for origin, label in kept if fits(label, spec.model)]
    held = sum(is_held_out(spec.id, origin, spec.evaluation.holdout) for origin in fitting)
    return len(fitting) - held, held
