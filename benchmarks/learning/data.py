"""The data of `federated.py`: who would own what, and what must be there for it."""

import gzip
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.learning.learner.dataset import Dataset
from benchmarks.learning import sound
from benchmarks.peers.install import CACHE, MissingError
from toolchain.digits.adapters.scikit import load as load_digits

SHARED = Path(os.environ.get("SELVEDGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
CLASSES = 10
LEAST_EXAMPLES = 10
MNIST = ("mnist-t10k-images-idx3-ubyte.gz", "mnist-t10k-labels-idx1-ubyte.gz")
TEST_TAKES = 5
Owners = NDArray[np.int64]
"""The number of the device of each example."""


@dataclass(frozen=True)
class Split:
    """Examples to train on, examples to judge by, and who was natural owner of the former."""

    train: Dataset
    test: Dataset
    owners: Owners | None = None


def fsdd() -> Split:
    """Spoken digits as 240 log-mel energies each; a speaker is a device, takes 0 to 4 the test.

    Raises:
        MissingError: the recordings are not there.
    """
    file, code = _found("fsdd.npz"), Path(sound.__file__).read_bytes()
    made = CACHE / "learning" / f"fsdd-{hashlib.sha256(code).hexdigest()[:16]}.npz"
    if not made.exists():
        with np.load(file, allow_pickle=False) as held:
            ends = np.cumsum(held["length"])
            clips = np.split(held["audio"], ends[:-1])
            features = np.stack([sound.log_mel(clip) for clip in clips])
            told = {name: held[name] for name in ("digit", "speaker", "take")}
        made.parent.mkdir(parents=True, exist_ok=True)
        part = made.with_suffix(f".{os.getpid()}.npz")
        np.savez(part, features=features, **told)
        part.rename(made)
    with np.load(made, allow_pickle=False) as held:
        whole = Dataset(held["features"], held["digit"].astype(np.int32))
        test = held["take"] < TEST_TAKES
        owners = held["speaker"][~test].astype(np.int64)
    return Split(whole.part(np.flatnonzero(~test)), whole.part(np.flatnonzero(test)), owners)


def digits() -> Split:
    """scikit-learn's 8×8 digits, ink from 0 to 1; a quarter is the test."""
    found = load_digits()
    ink = found.images.reshape(len(found.labels), -1) / np.float32(255)
    return _shuffled(ink.astype(np.float32), found.labels, len(found.labels) // 4)


def mnist(train: int = 4000, test: int = 2000) -> Split:
    """28×28 digits, ink from 0 to 1, from the 10,000 that MNIST has for tests.

    Raises:
        MissingError: they are not there.
    """
    images, labels = (gzip.decompress(_found(name).read_bytes()) for name in MNIST)
    ink = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784)[: train + test]
    return _shuffled(
        ink.astype(np.float32) / np.float32(255), np.frombuffer(labels, np.uint8, offset=8), test
    )


def by_dirichlet(
    labels: NDArray[np.int32], devices: int, concentration: float, seed: int
) -> Owners:
    """Divide each class by proportions from a Dirichlet distribution, as Yurochkin et al. 2019.

    Drawn again until every device has at least `LEAST_EXAMPLES`.
    """
    chance = np.random.default_rng([seed, devices])
    while True:
        owners = np.empty(len(labels), np.int64)
        for label in range(CLASSES):
            mine = chance.permutation(np.flatnonzero(labels == label))
            shares = chance.dirichlet(np.full(devices, concentration))
            cuts = np.round(np.cumsum(shares)[:-1] * len(mine)).astype(int)
            for device, part in enumerate(np.split(mine, cuts)):
                owners[part] = device
        if np.bincount(owners, minlength=devices).min() >= LEAST_EXAMPLES:
            return owners


def by_label(labels: NDArray[np.int32]) -> Owners:
    """Give every device one class."""
    return labels.astype(np.int64)


def _shuffled(examples: NDArray[np.float32], labels: NDArray[np.integer], test: int) -> Split:
    order = np.random.default_rng(0).permutation(len(examples))
    whole = Dataset(examples, labels[: len(examples)].astype(np.int32))
    return Split(whole.part(order[test:]), whole.part(order[:test]))


def _found(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        raise MissingError(f"{path} is not there; SELVEDGE_DATA may name another folder")
    return path
