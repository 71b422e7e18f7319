"""From what devices say of a model to means, and to whether the final one may ship."""

from collections.abc import Collection, Iterable

from broker.aggregator.store import Judgement, Store
from broker.contract.bundle.manifest import Judged
from broker.contract.federated.job import JobSpec
from broker.contract.federated.round import Evaluation

MAX_JUDGES = 2**17
"""So many devices are listened to: their judgements take some 10 MB on the disk."""


class Panel:
    """The devices that have judged the model of a round, or the final one beside the first."""

    def __init__(self, spec: JobSpec, store: Store, *, of_both: bool) -> None:
        """Begin with those that the disk has; `of_both`: an answer without the first is none."""
        self._spec, self._store, self._of_both = spec, store, of_both
        self._devices = set(store.judgements())

    def __len__(self) -> int:
        return len(self._devices)

    def take(self, device: str, told: Evaluation) -> None:
        """Keep the first answer of a device."""
        if device in self._devices or (self._of_both and told.baseline_loss is None):
            return
        if len(self._devices) < MAX_JUDGES:
            self._devices.add(device)
            self._store.put_judgement(device, judgement(told))

    def verdict(self) -> Judged | None:
        """What all of them say together."""
        return weighed(self._spec, self._store.judgements().values())


def judgement(told: Evaluation) -> Judgement:
    """An answer as it is kept: nobody has more right answers than examples."""
    baseline = told.baseline_correct
    return Judgement(
        *(told.examples, told.loss, min(told.correct, told.examples), told.baseline_loss),
        None if baseline is None else min(baseline, told.examples),
    )


def means(spec: JobSpec, judgements: Collection[Judgement]) -> tuple[float, float | None]:
    """Loss, and of a classifier the share of right answers, over the examples of all devices.

    A device weighs no more than the job lets it. There must be a judgement.
    """
    weights = [weight_of(spec, one) for one in judgements]

    def mean(values: Iterable[float]) -> float:
        return sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)

    right = (one.correct / one.examples for one in judgements)
    loss = mean(one.loss for one in judgements)
    return loss, None if spec.model.label_kind else mean(right)


def weight_of(spec: JobSpec, judgement: Judgement) -> int:
    """How many examples of a device count."""
    return min(judgement.examples, spec.participation.max_examples)


def weighed(spec: JobSpec, judgements: Iterable[Judgement]) -> Judged | None:
    """What devices found of both models.

    Only devices that judged both models count, so that the two are compared on the same examples.
    """
    both = [one for one in judgements if one.baseline_loss is not None]
    if not both:
        return None
    firsts = [
        Judgement(one.examples, one.baseline_loss or 0.0, one.baseline_correct or 0) for one in both
    ]
    loss, accuracy = means(spec, both)
    baseline_loss, baseline_accuracy = means(spec, firsts)
    examples = sum(weight_of(spec, one) for one in both)
    return Judged(len(both), examples, loss, baseline_loss, accuracy, baseline_accuracy)


def refusal(spec: JobSpec, judged: Judged | None) -> str | None:
    """Why a model is not shipped, if a gate is shut."""
    gates = spec.evaluation
    if gates.gate_loss is None and not gates.gate_baseline:
        return None
    devices = 0 if judged is None else judged.devices
    if judged is None or devices < gates.quorum:
        return f"{devices} devices judged the model, its gate asks for {gates.quorum}"
    if gates.gate_loss is not None and judged.loss > gates.gate_loss:
        return f"held-out loss {judged.loss:.4g} exceeds the gate of {gates.gate_loss:g}"
    baseline = judged.baseline_loss
    if gates.gate_baseline and baseline is not None and judged.loss > baseline:
        return f"held-out loss {judged.loss:.4g} exceeds that of the first model, {baseline:.4g}"
    return None
