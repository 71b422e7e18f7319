"""Local training: epochs of batches in an order that a seed fixes."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import shake_128
from typing import Protocol

import numpy as np
import numpy.typing as npt

from agent.errors import ModelError
from agent.learning.learner.dataset import Dataset, Floats
from agent.learning.trainer.abi import Shape
from agent.learning.trainer.wire import Evaluation
from broker.contract.federated.job import JobSpec, LocalSpec

HYPER = struct.Struct("<8f")


class Trainer(Protocol):
    """What is asked of a trainer module's sandbox; bytes are little-endian."""

    shape: Shape

    def write_parameters(self, values: bytes) -> None:
        """Hand over all parameters."""

    def write_anchor(self, values: bytes) -> None:
        """Hand over FedProx's anchor."""

    def write_control(self, values: bytes) -> None:
        """Hand over SCAFFOLD's control."""

    def write_hyper(self, values: bytes) -> None:
        """Hand over the eight hyperparameters."""

    def begin(self) -> None:
        """Forget the momentum."""

    def train(self, examples: bytes, labels: bytes, count: int) -> float:
        """Take one step."""

    def evaluate(self, examples: bytes, labels: bytes, count: int) -> Evaluation:
        """Judge the parameters."""

    def parameters(self) -> bytes:
        """Read all parameters."""


@dataclass(frozen=True)
class Trained:
    """The outcome: parameters float32[P], and how many steps led there."""

    parameters: Floats
    steps: int


def check_trainer(shape: Shape, spec: JobSpec) -> None:
    """Refuse a trainer that is not the one of the job.

    Raises:
        ModelError: the text says in what it differs.
    """
    model, local = spec.model, spec.local
    for name, has, wants in (
        ("parameters", shape.parameters, model.parameters),
        ("numbers in an example", shape.example_floats, model.example_floats),
        ("targets", shape.labels, model.label_kind),
    ):
        if has != wants:
            raise ModelError(f"the trainer has {has} {name}; the job says {wants}")
    if model.labels and len(model.labels) > shape.outputs:
        raise ModelError(f"the trainer has {shape.outputs} outputs for {len(model.labels)} labels")
    if shape.batch < local.batch:
        raise ModelError(f"the trainer takes {shape.batch} examples at once, the job {local.batch}")
    if local.example_clip_norm and not shape.has_norms:
        raise ModelError("the trainer cannot clip the gradient of an example; the job asks for it")


def train(
    trainer: Trainer,
    data: Dataset,
    start: Floats,
    local: LocalSpec,
    seed: bytes,
    control: Floats | None = None,
) -> Trained:
    """Train from `start` on.

    Args:
        seed: fixes the order of the examples; the rest is deterministic.
        control: SCAFFOLD's c - c_i.

    Raises:
        ModelError: the loss or a parameter is no longer finite, or the trainer failed.
    """
    rates = (local.learning_rate, local.momentum, local.weight_decay)
    trainer.write_hyper(HYPER.pack(*rates, local.prox_mu, local.example_clip_norm, 0, 0, 0))
    trainer.write_parameters(start.tobytes())
    if local.prox_mu:
        trainer.write_anchor(start.tobytes())
    if control is not None:
        trainer.write_control(control.tobytes())
    trainer.begin()
    steps = 0
    for at in batches(len(data), local, seed):
        loss = trainer.train(*_bytes(data.part(at)))
        if not np.isfinite(loss):
            raise ModelError(f"the loss of step {steps} is not finite; lower the learning rate")
        steps += 1
    found = np.frombuffer(trainer.parameters(), "<f4").astype(np.float32)
    if not np.isfinite(found).all():
        raise ModelError("a parameter is no longer finite; lower the learning rate")
    return Trained(found, steps)


def batches(count: int, local: LocalSpec, seed: bytes) -> Iterator[npt.NDArray[np.intp]]:
    """Positions of each batch: every example once an epoch, the last batch perhaps shorter."""
    steps = 0
    for epoch in range(local.epochs):
        keys = shake_128(seed + epoch.to_bytes(4, "little")).digest(8 * count)
        order = np.argsort(np.frombuffer(keys, "<u8"), kind="stable")
        for first in range(0, count, local.batch):
            if steps == local.max_steps:
                return
            yield order[first : first + local.batch]
            steps += 1


def evaluate(trainer: Trainer, data: Dataset, parameters: Floats) -> Evaluation:
    """The mean loss over all examples, and how many answers are right.

    Raises:
        ModelError: the loss is not finite.
    """
    trainer.write_parameters(parameters.tobytes())
    total, correct = 0.0, 0
    for first in range(0, len(data), trainer.shape.batch):
        part = data.part(slice(first, first + trainer.shape.batch))
        found = trainer.evaluate(*_bytes(part))
        total += found.loss * len(part)
        correct += found.correct
    if not np.isfinite(total):
        raise ModelError("the loss of the round's model is not finite")
    return Evaluation(total / len(data), correct)


def _bytes(data: Dataset) -> tuple[bytes, bytes, int]:
    return data.examples.tobytes(), data.labels.tobytes(), len(data)
