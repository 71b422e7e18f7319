"""What is learned by whom: data, their owners, a network, and how a device trains it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.learning.learner.dataset import Dataset
from benchmarks.learning import data
from benchmarks.learning.sound import FEATURES
from broker.contract.federated.job import LocalSpec
from toolchain.training.network import Conv2D, Dense, MaxPool2D, Network

DEVICES = 10
HEAD = Network((FEATURES,), (Dense(10),), batch=256)
PIXELS = Network((64,), (Dense(32, "relu"), Dense(10)), batch=256)
PICTURES = Network(
    (28, 28, 1),
    (
        Conv2D(8, 3, activation="relu"),
        MaxPool2D(),
        Conv2D(16, 3, activation="relu"),
        MaxPool2D(),
        Dense(10),
    ),
    batch=256,
)
Divide = Callable[[data.Split, int], data.Owners]
"""From a split and a seed to the owner of each example."""


@dataclass(frozen=True)
class Problem:
    """One line of the table.

    Attributes:
        says: what it is, for people.
        rounds: until its curves are flat, or patience is over.
        own: a strategy's own options here, by its name, over those of `strategies.py`.
    """

    name: str
    says: str
    load: Callable[[], data.Split]
    divide: Divide
    network: Network
    local: LocalSpec
    rounds: int
    own: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fleet:
    """A problem with its data dealt out."""

    devices: dict[str, Dataset]
    test: Dataset

    @property
    def pooled(self) -> int:
        """How many examples all devices have together."""
        return sum(map(len, self.devices.values()))


def _speakers(split: data.Split, _: int) -> data.Owners:
    assert split.owners is not None, "recordings have speakers"
    return split.owners


def _dirichlet(split: data.Split, seed: int) -> data.Owners:
    return data.by_dirichlet(split.train.labels.astype("int32"), DEVICES, 0.1, seed)


def _labels(split: data.Split, _: int) -> data.Owners:
    return data.by_label(split.train.labels.astype("int32"))


DIGITS_HEAD = Problem(
    "digits-head",
    "8×8 digits, a head on their ink; one label a device",
    data.digits,
    _labels,
    Network((64,), (Dense(10),), batch=256),
    LocalSpec(1, 16, 0.1),
    5,
)
PROBLEMS = (
    Problem(
        "fsdd",
        "spoken digits, a head on log-mel features; a device is a speaker",
        data.fsdd,
        _speakers,
        HEAD,
        LocalSpec(1, 16, 0.1),
        120,
        {
            "fedavgm": {"momentum": 0.5},
            "fedadam": {"server_rate": 0.02},
            "fedyogi": {"server_rate": 0.02},
        },
    ),
    Problem(
        "digits-dirichlet",
        "8×8 digits, 64-32-10; Dirichlet(0.1) over ten devices",
        data.digits,
        _dirichlet,
        PIXELS,
        LocalSpec(1, 16, 0.1),
        40,
    ),
    Problem(
        "digits-label",
        "8×8 digits, 64-32-10; one label a device",
        data.digits,
        _labels,
        PIXELS,
        LocalSpec(1, 16, 0.1),
        40,
    ),
    Problem(
        "mnist-dirichlet",
        "28×28 digits, a small CNN; Dirichlet(0.1) over ten devices",
        data.mnist,
        _dirichlet,
        PICTURES,
        LocalSpec(1, 32, 0.1),
        25,
    ),
    Problem(
        "mnist-label",
        "28×28 digits, a small CNN; one label a device",
        data.mnist,
        _labels,
        PICTURES,
        LocalSpec(1, 32, 0.05),
        25,
    ),
)


def dealt(problem: Problem, seed: int) -> Fleet:
    """Load a problem's data and deal them out.

    Raises:
        MissingError: the data are not there.
    """
    split = problem.load()
    owners = problem.divide(split, seed)
    devices = {f"d{n}": split.train.part((owners == n).nonzero()[0]) for n in set(owners.tolist())}
    return Fleet(devices, split.test)
