"""Jobs and samples for tests of the learner."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agent.config.samples import SamplesConfig
from agent.learning.learner.adapters.process import LearnerProcess
from agent.learning.learner.dataset import Floats
from agent.learning.learner.request import Request
from agent.learning.samples.adapters.sqlite_samples import SqliteSamples
from agent.learning.samples.sample import Example, Sample
from broker.contract.federated.job import JobSpec, check_job
from broker.contract.federated.participant.words import Task
from broker.contract.federated.round import Round
from broker.contract.shape import parse

SEED = "00000000000000a7"
LABELS = ("no", "yes", "perhaps")
FLOATS = 6


def job(parameters: int, floats: int = FLOATS, **changes: Any) -> JobSpec:
    """A job of softmax regression, with changes at its top."""
    tree = {
        "id": "job",
        "model": {
            "name": "head",
            "parameters": parameters,
            "initial": {"sha256": "0" * 64, "bytes": 4 * parameters},
            "trainers": {"simd": {"sha256": "1" * 64, "bytes": 1000}},
            "example_floats": floats,
            "labels": list(LABELS),
        },
        "local": {"epochs": 2, "batch": 8, "learning_rate": 0.1},
        "slice_parameters": 8,
    }
    spec = parse(JobSpec, tree | changes)
    assert isinstance(spec, JobSpec), spec
    check_job(spec)
    return spec


def task(spec: JobSpec, number: int = 3, seed: str = SEED) -> Task:
    """A round of a job."""
    return Task(spec, Round(spec.id, number, "open", spec.model.initial, seed=seed))


def made(count: int, floats: int = FLOATS, seed: int = 5) -> tuple[list[Sample], list[Floats]]:
    """Samples of three classes that can be told apart, and their examples."""
    rng = np.random.default_rng(seed)
    middles = np.random.default_rng(99).standard_normal((3, floats)) * 2
    kinds = rng.integers(0, 3, count)
    examples = (middles[kinds] + rng.standard_normal((count, floats))).astype(np.float32)
    samples = [
        Sample(f"import {seed} {at}", LABELS[kind], Example(example.tobytes(), "float32"))
        for at, (kind, example) in enumerate(zip(kinds, examples, strict=True))
    ]
    return samples, list(examples)


def blob(path: Path, data: bytes) -> str:
    """A file, as a fetched blob would lie there."""
    path.write_bytes(data)
    return str(path)


class Desk:
    """A folder with all that a learner is asked to use."""

    def __init__(
        self, folder: Path, spec: JobSpec, samples: Sequence[Sample], first: Floats, trainer: bytes
    ) -> None:
        store = SqliteSamples(folder / "samples.sqlite3")
        store.put("cam", samples, SamplesConfig(), 5)
        store.close()
        self.output = folder / "out"
        self.output.mkdir()
        self.request = Request(
            *(spec, task(spec).round, "dev", "cam", str(folder / "samples.sqlite3")),
            model=blob(folder / "model", first.tobytes()),
            trainer=blob(folder / "trainer", trainer),
            output=str(self.output),
        )

    def start(self, **changes: Any) -> LearnerProcess:
        """A learner at work, with another request in some points."""
        return LearnerProcess(replace(self.request, **changes))
