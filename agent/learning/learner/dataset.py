"""Samples as a job wants them: real examples, labels by its numbers, some of them held out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.learning.samples.fitting import index_of, is_held_out
from agent.learning.samples.sample import Example, Sample
from broker.contract.federated.job import ModelSpec

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Dataset:
    """Examples float32[n, F] with labels int32[n], or float32[n, k] where those are targets."""

    examples: Floats
    labels: npt.NDArray[np.int32] | Floats

    def __len__(self) -> int:
        return len(self.examples)

    def part(self, at: npt.NDArray[np.intp] | slice) -> "Dataset":
        """Some of it."""
        return Dataset(self.examples[at], self.labels[at])


def real(example: Example) -> Floats:
    """The real values of an example, float32[n]: scale × (stored - zero_point)."""
    stored = np.frombuffer(example.data, np.dtype(example.dtype).newbyteorder("<"))
    if example.scale <= 0:
        return stored.astype(np.float32, copy=False)
    return (stored.astype(np.float32) - np.float32(example.zero_point)) * np.float32(example.scale)


def split(samples: Sequence[Sample], job: str, share: float) -> tuple[list[int], list[int]]:
    """Positions of the samples to train on, and of those held out."""
    held = [at for at, one in enumerate(samples) if is_held_out(job, one.origin, share)]
    kept = set(held)
    return [at for at in range(len(samples)) if at not in kept], held


def dataset(samples: Sequence[Sample], examples: Sequence[Floats], model: ModelSpec) -> Dataset:
    """Put together what fits a job.

    Args:
        samples: each with a label that `fits`.
        examples: float32[model.example_floats] of each.
    """
    many = np.zeros((len(samples), model.example_floats), np.float32)
    for row, example in zip(many, examples, strict=True):
        row[:] = example
    if model.label_kind:
        targets = [one.label for one in samples]
        return Dataset(many, np.array(targets, np.float32).reshape(len(samples), model.label_kind))
    return Dataset(many, np.array([index_of(one.label, model) for one in samples], np.int32))
