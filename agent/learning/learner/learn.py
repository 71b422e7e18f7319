"""One device's part of one round, given its samples, a trainer and a source of secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from agent.errors import SampleError
from agent.learning.learner.dataset import Dataset, Floats, dataset, split
from agent.learning.learner.training import Trainer, check_trainer, evaluate, train
from agent.learning.learner.update import control_after, encode, protected
from agent.learning.samples.sample import Sample
from broker.contract.federated.job import JobSpec
from broker.contract.federated.participant.words import Task
from broker.contract.federated.round import Evaluation


@dataclass(frozen=True)
class Start:
    """What training starts from: float32[P] each, the residual float32[vectors, P].

    Attributes:
        control: SCAFFOLD's c; `own_control`: this device's c_i, None before its first round.
    """

    model: Floats
    control: Floats | None = None
    own_control: Floats | None = None
    residual: Floats | None = None


@dataclass(frozen=True)
class Learned:
    """The update's messages; `residual` and `own_control` count once they are acknowledged."""

    messages: tuple[bytes, ...]
    residual: Floats | None
    own_control: Floats | None
    examples: int
    steps: int
    losses: tuple[float, float] | None
    evaluation: Evaluation | None


def learn(
    task: Task,
    device: str,
    samples: Sequence[Sample],
    examples: Sequence[Floats],
    start: Start,
    trainer: Trainer,
    key: bytes,
) -> Learned:
    """Train, and encode what was learned.

    Args:
        samples: those that fit the job; `examples`: float32[example_floats] of each.
        key: 32 secret bytes, never used before.

    Raises:
        SampleError: there are too few samples, of which the text says no number.
        ModelError: the trainer is another one, failed, or diverged.
        CodecError: the update is beyond what the codec takes.
    """
    spec, round_ = task.spec, task.round
    check_trainer(trainer.shape, spec)
    is_scaffold, is_local = spec.vectors == 2, spec.privacy.mode == "local"
    if is_scaffold and is_local:
        raise SampleError("local privacy is for one vector; SCAFFOLD would send two")
    ours, held = split(samples, spec.id, spec.evaluation.holdout)
    if len(ours) < max(1, spec.participation.min_examples):
        raise SampleError(f"fewer than {max(1, spec.participation.min_examples)} samples fit")
    data, judges = (_chosen(samples, examples, at, spec) for at in (ours, held))
    none = np.zeros_like(start.model)
    control = none if start.control is None else start.control
    own = none if start.own_control is None else start.own_control
    # Under local privacy nobody is told anything that the noise does not cover.
    evaluation = None
    if len(judges) and not is_local:
        found = evaluate(trainer, judges, start.model)
        evaluation = Evaluation(len(judges), found.loss, found.correct)
    before = evaluate(trainer, data, start.model).loss
    seed = sha256(f"{round_.seed}/{round_.number}/{device}/order".encode()).digest()
    trained = train(
        trainer, data, start.model, spec.local, seed, control - own if is_scaffold else None
    )
    after = evaluate(trainer, data, trained.parameters).loss
    vectors = [protected(trained.parameters - start.model, spec.privacy, key)]
    new_own = None
    if is_scaffold:
        rate = spec.local.learning_rate
        new_own = control_after(start.model, trained.parameters, control, own, trained.steps, rate)
        vectors.append(protected(new_own - own, spec.privacy, key))
    # Losses of the examples that were learned from: noise on the model does not cover them.
    is_private = spec.privacy.mode != "none"
    weight = 1 if is_private else min(len(ours), spec.participation.max_examples)
    losses = None if is_private else (before, after)
    encoded = encode(spec, round_.seed, device, vectors, start.residual, weight, losses)
    return Learned(
        *(encoded.messages, encoded.residual, new_own, weight),
        *(trained.steps, losses, evaluation),
    )


def judge(
    spec: JobSpec,
    samples: Sequence[Sample],
    examples: Sequence[Floats],
    model: Floats,
    baseline: Floats,
    trainer: Trainer,
) -> Evaluation:
    """What two models do on the examples that a device holds out of a job.

    Raises:
        SampleError: there are none.
        ModelError: the trainer is another one, or failed.
    """
    check_trainer(trainer.shape, spec)
    _, held = split(samples, spec.id, spec.evaluation.holdout)
    if not held or not spec.judges:
        raise SampleError("no sample is held out")
    data = _chosen(samples, examples, held, spec)
    found, before = evaluate(trainer, data, model), evaluate(trainer, data, baseline)
    return Evaluation(len(data), found.loss, found.correct, before.loss, before.correct)


def _chosen(
    samples: Sequence[Sample], examples: Sequence[Floats], at: Sequence[int], spec: JobSpec
) -> Dataset:
    return dataset([samples[i] for i in at], [examples[i] for i in at], spec.model)
