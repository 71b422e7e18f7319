"""A federated job in one process: the aggregator and the learner as they are, without a broker.

The trainer is the module that devices get, under wasmtime; the messages of an update are the bytes
that a device would publish. What is left out is MQTT, the devices' own processes, and waiting.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from agent.learning.learner.dataset import Dataset, Floats
from agent.learning.learner.learn import Learned, Start, learn
from agent.learning.learner.training import evaluate, train
from agent.learning.samples.sample import Example, Sample
from benchmarks.learning.direct import Direct
from benchmarks.learning.problems import Fleet, Problem
from broker.aggregator.adapters.store_sqlite import SqliteStore
from broker.aggregator.job import aggregation as a
from broker.aggregator.job.check import check_runnable
from broker.aggregator.job.words import Out, Say
from broker.aggregator.strategies.scaffold import CONTROL
from broker.contract.blobs import BlobRef, blob_ref
from broker.contract.federated.channels import RoundChannel
from broker.contract.federated.codecs.spec import CodecSpec
from broker.contract.federated.job import (
    JobSpec,
    LocalSpec,
    ModelSpec,
    ParticipationSpec,
    StrategySpec,
    check_job,
)
from broker.contract.federated.participant.words import Task
from broker.contract.federated.round import Round
from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.training.initial import initial_parameters
from toolchain.training.network import Network
from toolchain.training.trainer import to_trainer

SELDOM = a.Limits(checkpoint_updates=10**6, checkpoint_ms=10**9, status_ms=10**9)


@dataclass(frozen=True)
class Score:
    """What a model is worth on the test examples, and what it cost a device to send."""

    loss: float
    accuracy: float
    upload_bytes: float = 0.0


@dataclass
class Device:
    """One device's samples, and what it keeps from round to round."""

    samples: list[Sample]
    examples: list[Floats]
    residual: Floats | None = None
    own_control: Floats | None = None


@dataclass
class Played:
    """A job at work; `run` once.

    Attributes:
        models: the global parameters after each round, the first ones before.
    """

    spec: JobSpec
    fleet: Fleet
    trainer: Direct
    start: Floats
    seed: int
    models: list[Floats] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)

    def run(self) -> Iterator[Score]:
        """Play round after round; the score of each one's model, the first before training."""
        chance = np.random.default_rng([self.seed, 1])
        devices = {
            name: Device(samples_of(data), list(data.examples))
            for name, data in self.fleet.devices.items()
        }
        at = a.Aggregation(self.spec, SqliteStore(None), chance.bytes, SELDOM)
        at.begin(self.start, 0)
        while True:
            told = _told(at.commit(0))
            assert at.vectors is not None, "a job that has begun has a model"
            self.models.append(at.vectors.model)
            yield self._score(at)
            if told.state != "open":
                assert told.state == "done", told.reason
                return
            self.rounds.append(told)
            for name, device in devices.items():
                self._take_part(at, name, device, told)

    def _score(self, at: a.Aggregation) -> Score:
        found = evaluate(self.trainer, self.fleet.test, self.models[-1])
        history = at.job.history
        sent = history[-1].bytes / history[-1].updates if history else 0.0
        return Score(found.loss, found.correct / len(self.fleet.test), sent)

    def _take_part(self, at: a.Aggregation, name: str, device: Device, told: Round) -> None:
        assert at.vectors is not None, "a round has a model"
        model, control = self.models[-1], at.vectors.state.get(CONTROL)
        start = Start(
            model,
            None if control is None else control.astype(np.float32),
            device.own_control,
            device.residual,
        )
        learned: Learned = learn(
            *(Task(self.spec, told), name, device.samples, device.examples, start),
            *(self.trainer, bytes(32)),
        )
        for number, message in enumerate(learned.messages):
            at.receive(told.number, name, number, message, 0)
        device.residual, device.own_control = learned.residual, learned.own_control


def central(
    problem: Problem, fleet: Fleet, trainer: Direct, start: Floats, rounds: int
) -> Iterator[Score]:
    """The same training on all data in one place: as many epochs, the same batches and rate."""
    names = list(fleet.devices)
    pool = Dataset(
        np.concatenate([fleet.devices[name].examples for name in names]),
        np.concatenate([fleet.devices[name].labels for name in names]),
    )
    model = start
    for number in range(rounds + 1):
        found = evaluate(trainer, fleet.test, model)
        yield Score(found.loss, found.correct / len(fleet.test))
        model = train(trainer, pool, model, problem.local, b"pool%d" % number).parameters


def trainer_of(network: Network) -> Direct:
    """The trainer of a network, as new."""
    return Direct(to_trainer(network, load("trainer-simd"), "benchmark", "simd"))


def first(problem: Problem, seed: int) -> Floats:
    """The parameters that everything starts from."""
    return initial_parameters(problem.network, seed)


def job(
    start: Floats,
    fleet: Fleet,
    local: LocalSpec,
    strategy: StrategySpec,
    rounds: int,
    codec: CodecSpec,
) -> JobSpec:
    """A job in which every device takes part in every round."""
    count = len(fleet.devices)
    spec = JobSpec(
        "benchmark",
        ModelSpec(
            *("benchmark", len(start), blob_ref(start.tobytes())),
            *({"simd": BlobRef("0" * 64, 1)}, fleet.test.examples.shape[1]),
        ),
        *(rounds, local, strategy, codec),
        ParticipationSpec(goal=count, quorum=count),
    )
    check_job(spec)
    check_runnable(spec)
    return spec


def samples_of(data: Dataset) -> list[Sample]:
    """Examples and class numbers as a device keeps them."""
    return [
        Sample(f"import {at}", str(int(label)), Example(example.tobytes(), "float32"))
        for at, (example, label) in enumerate(zip(data.examples, data.labels, strict=True))
    ]


def _told(outs: list[Out]) -> Round:
    """The newest word on the round."""
    for out in reversed(outs):
        if isinstance(out, Say) and isinstance(out.channel, RoundChannel):
            assert isinstance(out.message, Round)
            return out.message
    raise AssertionError("a round closes when all updates are there")
