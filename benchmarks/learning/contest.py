"""What both systems are given, and what is looked at: one job, some clients, real sockets."""

import itertools
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agent.learning.learner.dataset import Dataset, Floats
from benchmarks.learning import data
from benchmarks.learning.problems import Fleet
from benchmarks.peers.memory import Memory
from benchmarks.peers.wire_meter import Crossed
from broker.contract.federated.job import LocalSpec
from toolchain.training.initial import initial_parameters
from toolchain.training.network import Dense, Network

CLIENTS, CLASSES = 8, 10
CONCENTRATION = 0.5
SLICE_PARAMETERS = {"f32": 15_872, "int8": 61_440, "top_k": 65_536}
"""Long slices, for each has about 60 bytes around it; what a codec may take must fit a message."""

LOCAL = LocalSpec(epochs=1, batch=32, learning_rate=0.1)
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Contest:
    """A job: a network of two dense layers, a fleet, and the parameters that all start from."""

    fleet: Fleet
    hidden: int
    first: Floats
    rounds: int

    @property
    def network(self) -> Network:
        """As our toolchain describes it."""
        return _network(self.fleet.test.examples.shape[1], self.hidden)

    def arrays(self, vector: Floats) -> list[Floats]:
        """Parameters as the arrays that they are."""
        inputs, hidden = self.fleet.test.examples.shape[1], self.hidden
        shapes = ((hidden, inputs), (hidden,), (CLASSES, hidden), (CLASSES,))
        sizes = np.cumsum([np.prod(shape) for shape in shapes])
        pieces = np.split(vector, sizes[:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def accuracy(self, vector: Floats) -> float:
        """The share of test examples that a model gets right."""
        w1, b1, w2, b2 = self.arrays(vector)
        hidden = np.maximum(self.fleet.test.examples @ w1.T + b1, 0)
        return float(((hidden @ w2.T + b2).argmax(axis=1) == self.fleet.test.labels).mean())


def contest(rounds: int, clients: int, seed: int = 1) -> Contest:
    """28×28 digits dealt out, and a network of 101,770 parameters.

    Raises:
        MissingError: MNIST is not there.
    """
    return made(data.mnist(), 128, clients, rounds, seed)


def made(split: data.Split, hidden: int, clients: int, rounds: int, seed: int) -> Contest:
    """A contest of any size."""
    labels = np.asarray(split.train.labels, np.int32)
    owners = data.by_dirichlet(labels, clients, CONCENTRATION, seed)
    devices = {f"d{n}": split.train.part(np.flatnonzero(owners == n)) for n in range(clients)}
    first = initial_parameters(_network(split.train.examples.shape[1], hidden), seed)
    return Contest(Fleet(devices, split.test), hidden, first, rounds)


def _network(inputs: int, hidden: int) -> Network:
    return Network((inputs,), (Dense(hidden, "relu"), Dense(CLASSES)), batch=256)


def save(part: Dataset, path: Path) -> None:
    """A device's examples as a file."""
    np.savez(path, examples=part.examples, labels=part.labels)


@dataclass
class Side:
    """What was seen of one system.

    Attributes:
        at_s: when each round's model was there, the first one before the first round.
        crossed: bytes of each client by then.
        accuracy: of each model.
    """

    name: str
    client: Memory
    server: Memory
    at_s: list[float] = field(default_factory=list)
    crossed: list[list[Crossed]] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)

    def mark(self, at_s: float, accuracy: float, crossed: list[Crossed]) -> None:
        """A model is there."""
        self.at_s.append(at_s)
        self.accuracy.append(accuracy)
        self.crossed.append(crossed)

    def told(self) -> dict[str, Any]:
        """Medians; the first round is left out, for it sets things up."""
        times = np.diff(self.at_s)
        up, down = (self._bytes(way) for way in (0, 1))
        return {
            "system": self.name,
            "round_s": round(statistics.median(times[1:]), 3),
            "rounds_s": [round(float(each), 3) for each in times],
            "up_bytes": round(up),
            "down_bytes": round(down),
            "client": self.client.told(),
            "server": self.server.told(),
            "accuracy": [round(each, 4) for each in self.accuracy],
        }

    def _bytes(self, way: int) -> float:
        """Of a device in a round: mean over devices, median over rounds."""
        totals = [sum(each[way] for each in one) for one in self.crossed]
        later = [after - before for before, after in itertools.pairwise(totals)][1:]
        return statistics.median(later) / len(self.crossed[0])
