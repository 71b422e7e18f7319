"""An attacker who wants to know which devices took part in a job, and how well it does.

Devices hold handwritten digits and learn through the product's own path: a trainer module in its
sandbox, the learner's clipping and codec, the aggregator's sums and noise.
"""

from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
from scipy import stats
from sklearn.datasets import load_digits

from agent.learning.learner.learn import Learned, Start, learn
from agent.learning.samples.sample import Example, Sample
from agent.learning.trainer.adapters.session import Session
from broker.contract.blobs import BlobRef, blob_ref
from broker.contract.federated.codecs.codec import Vector
from broker.contract.federated.job import (
    JobSpec,
    LocalSpec,
    ModelSpec,
    ParticipationSpec,
    PrivacySpec,
    check_job,
)
from broker.contract.federated.noise import KEY_BYTES
from broker.contract.federated.participant.words import Task
from broker.contract.federated.round import Round
from broker.contract.federated.update import decode_slice
from tests.support.aggregation import Bench
from tests.support.networks import HEAD
from tests.support.trainers import module_of

CLIP, PARAMETERS = 1.5, 650
SEED = "0123456789abcdef"
START = np.zeros(PARAMETERS, np.float32)


def job(devices: int, rounds: int, privacy: PrivacySpec) -> JobSpec:
    """A job whose rounds end at the deadline, with whoever took part."""
    spec = JobSpec(
        "members",
        ModelSpec(
            *("head", PARAMETERS, blob_ref(START.tobytes()), {"simd": BlobRef("ab" * 32, 100)}, 64),
            labels=tuple("0123456789"),
        ),
        rounds=rounds,
        local=LocalSpec(epochs=20, batch=32, learning_rate=0.5),
        participation=ParticipationSpec(goal=devices, quorum=1),
        privacy=replace(privacy, clip_norm=CLIP),
        slice_parameters=256,
    )
    check_job(spec)
    return spec


def release(mode: Literal["none", "central", "local"], noise: float) -> PrivacySpec:
    """Clipping, and noise unless the mode is none."""
    return PrivacySpec(mode, CLIP, noise)


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    pictures, kinds = load_digits(return_X_y=True)
    order = np.random.default_rng(3).permutation(len(kinds))
    return (pictures[order] / 16).astype(np.float32), kinds[order]


class Fleet:
    """Devices with a few digits each, and a trainer that they all use in turn."""

    def __init__(self, devices: int, each: int) -> None:
        pictures, kinds = _digits()
        self.examples = pictures[: devices * each].reshape(devices, each, 64)
        self.kinds = kinds[: devices * each].reshape(devices, each)
        self.devices = devices
        self._trainer = Session(module_of(HEAD))

    def close(self) -> None:
        """End the trainer."""
        self._trainer.close()

    def learned(self, spec: JobSpec, device: int, model: Vector, key: bytes) -> Learned:
        """What a device sends in a round that begins with a model."""
        samples = [
            Sample(f"{device}/{at}", str(kind), Example(example.tobytes(), "float32"))
            for at, (example, kind) in enumerate(
                zip(self.examples[device], self.kinds[device], strict=True)
            )
        ]
        task = Task(spec, Round(spec.id, 1, "open", spec.model.initial, seed=SEED))
        examples, start = list(self.examples[device]), Start(model)
        return learn(task, f"d{device}", samples, examples, start, self._trainer, key)

    def trained(self, privacy: PrivacySpec, rounds: int, members: np.ndarray, salt: str) -> Vector:
        """The model that a job of these members ends with."""
        spec = job(self.devices, rounds, privacy)
        bench = Bench(spec, None, salt=salt, start=START)
        for number in range(1, rounds + 1):
            model = bench.at.vectors.model
            messages = {
                device: self.learned(spec, device, model, bytes(KEY_BYTES)).messages
                for device in np.flatnonzero(members)
            }
            _play(bench, number, messages)
        return bench.at.vectors.model

    def losses(self, model: Vector) -> np.ndarray:
        """The loss of a model on every example, float[devices, each]."""
        scores = self.examples.astype(np.float64) @ model[:640].reshape(10, 64).T + model[640:]
        right = np.take_along_axis(scores, self.kinds[..., None], axis=2)[..., 0]
        return np.log(np.exp(scores).sum(axis=2)) - right


def _play(bench: Bench, number: int, messages: dict[int, tuple[bytes, ...]]) -> None:
    """One round to its deadline."""
    for device, slices in messages.items():
        for n, payload in enumerate(slices):
            bench.at.receive(number, f"d{device}", n, payload, bench.now_ms)
    if bench.at.due_ms is not None and bench.at.job.number == number:
        bench.now_ms = bench.at.due_ms
        bench.at.tick(bench.now_ms)
    bench.commit()
    assert bench.at.job.history[-1].updates == len(messages)


def loss_attack(fleet: Fleet, privacy: PrivacySpec, rounds: int, runs: int) -> float:
    """AUC of one who sees the last model only: what was learned from has a smaller loss.

    Yeom et al. 2018, adversary 1, with the threshold left open.
    """
    inside, outside = [], []
    for run in range(runs):
        members = np.random.default_rng([run, 1]).random(fleet.devices) < 0.5
        found = fleet.losses(fleet.trained(privacy, rounds, members, f"loss {run}"))
        inside.append(found[members].ravel())
        outside.append(found[~members].ravel())
    return auc(-np.concatenate(inside), -np.concatenate(outside))


def knowing_attack(fleet: Fleet, privacy: PrivacySpec, trials: int) -> float:
    """AUC of one who knows everybody's data, and everybody's part in a round but one device's.

    It sees the model before and after the round. This is the adversary of the definition of
    differential privacy: what it can do at best is known in a closed formula, see `ceiling`.
    """
    spec = job(fleet.devices, 1, privacy)
    known = [fleet.learned(spec, d, START, bytes(KEY_BYTES)) for d in range(fleet.devices)]
    updates = np.stack([_vector(each.messages) for each in known])
    inside, outside = [], []
    for trial in range(trials):
        members = np.random.default_rng([trial, 2]).random(fleet.devices) < 0.5
        bench = Bench(spec, None, salt=f"knowing {trial}", start=START)
        _play(bench, 1, {d: known[d].messages for d in np.flatnonzero(members)})
        parts = fleet.devices if privacy.mode == "central" else members.sum()
        total = (bench.at.vectors.model.astype(np.float64) - START) * parts
        left = total - updates[members].sum(axis=0)
        # What is left without device d: its update if it took part, and noise.
        scores = updates @ left + np.where(members, (updates**2).sum(axis=1), 0)
        inside.append(scores[members])
        outside.append(scores[~members])
    return auc(np.concatenate(inside), np.concatenate(outside))


def local_attack(fleet: Fleet, noise: float, trials: int) -> tuple[float, float]:
    """AUC of one who reads an update under local privacy and asks: of this data, or of that?

    Returns:
        What it reaches, and what the distance of the two updates allows.
    """
    spec = job(fleet.devices, 1, release("local", noise))
    bare = job(fleet.devices, 1, release("none", 0.0))
    first, second = (
        _vector(fleet.learned(bare, d, START, bytes(KEY_BYTES)).messages) for d in (0, 1)
    )
    direction = first - second
    scores = [
        [
            _vector(fleet.learned(spec, d, START, bytes([d, n, *[7] * 30])).messages) @ direction
            for n in range(trials)
        ]
        for d in (0, 1)
    ]
    distance = float(np.linalg.norm(direction))
    return auc(np.array(scores[0]), np.array(scores[1])), ceiling(noise * CLIP / distance)


def ceiling(noise: float, rounds: int = 1) -> float:
    """The largest AUC against Gaussian noise of so many sensitivities: Φ(√rounds / (noise √2)).

    Dong, Roth and Su 2022, corollary 2.1: composed, the mechanism is μ-GDP with μ = √rounds /
    noise; the area under its trade-off curve is that of two normal distributions μ apart.
    """
    return 1.0 if noise == 0 else float(stats.norm.cdf((rounds / 2) ** 0.5 / noise))


def auc(inside: np.ndarray, outside: np.ndarray) -> float:
    """The chance that a member's score is above that of another; ties count half."""
    wins = stats.mannwhitneyu(inside, outside).statistic
    return float(wins / (len(inside) * len(outside)))


def _vector(messages: tuple[bytes, ...]) -> np.ndarray:
    data = b"".join(decode_slice(message).data for message in messages)
    return np.frombuffer(data, "<f4").astype(np.float64)
