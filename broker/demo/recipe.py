"""What the demo gives its agents: a first model, digits that nobody else has, a configuration."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from toolchain.digits import Digits, accuracy, quantize, split, train, vector

SEED = 7
PUBLIC = 70
"""Digits that the operator has: enough for a first model, not for a good one."""

CONCENTRATION = 0.3
"""Of the Dirichlet distribution that deals the others: a device knows few classes well."""

RATE_HZ = 25.0
THRESHOLD_BEFORE = 0.5
THRESHOLD_AFTER = 0.8
JOB = "digits"
LEARNER = "digits"
"""The pipeline of every device that learns and adopts."""

MCU = "mcu"
HEAD = """\
metrics_interval_s = 1.0

[outbox]
commit_interval_ms = 1000
"""
LABELS = [str(digit) for digit in range(10)]
PIXEL_SCALE = float(np.float32(1 / 255))


@dataclass(frozen=True)
class Recipe:
    """One model for all, and for each device digits to answer and digits to learn from.

    Attributes:
        model: int8, as devices begin with it; `parameters`: the same in float32, as training does.
        accuracy: of the parameters, on all digits that were held out.
        calibration: the operator's own digits, uint8 [n, 8, 8, 1].
        shares: digits held out from all training, with which the device's model is watched.
        private: labelled digits that a device alone has.
    """

    model: bytes
    parameters: bytes
    accuracy: float
    calibration: Digits
    shares: dict[str, Digits]
    private: dict[str, Digits]


def prepare(digits: Digits, devices: Sequence[str]) -> Recipe:
    """Train a first model on few digits, quantize it, and deal the others to the devices."""
    rng = np.random.default_rng(SEED)
    known, held_out = split(digits, rng)
    public = known.take(np.arange(PUBLIC))
    network = train(public, rng)
    shares = {
        device: held_out.take(np.arange(place, len(held_out), len(devices)))
        for place, device in enumerate(devices)
    }
    private = dealt(known.take(np.arange(PUBLIC, len(known))), devices, rng)
    return Recipe(
        quantize(network, public.images),
        vector(network).astype("<f4").tobytes(),
        accuracy(network, held_out.images, held_out.labels),
        public,
        shares,
        private,
    )


def dealt(digits: Digits, devices: Sequence[str], rng: np.random.Generator) -> dict[str, Digits]:
    """Deal digits so that every class lies mostly with few devices; each gets some."""
    places: list[list[int]] = [[] for _ in devices]
    for kind in range(10):
        found = np.flatnonzero(digits.labels == kind)
        liking = rng.dirichlet(np.full(len(devices), CONCENTRATION))
        ends = np.rint(np.cumsum(liking) * len(found)).astype(int)
        for mine, part in zip(places, np.split(found, ends[:-1]), strict=True):
            mine.extend(part.tolist())
    return {
        device: digits.take(np.array(sorted(mine or [0]), np.intp))
        for device, mine in zip(devices, places, strict=True)
    }


def classes_of(digits: Digits) -> str:
    """How many there are of each class, for people."""
    counts = np.bincount(digits.labels, minlength=10)
    return " ".join(f"{kind}×{count}" for kind, count in enumerate(counts) if count)


def images_file(share: Digits) -> bytes:
    """The images as an `.npy` file."""
    return _npy(share.images)


def samples_file(share: Digits) -> bytes:
    """Labelled examples, as `selvedge samples import` reads them."""
    file = BytesIO()
    np.savez(file, examples=share.images, labels=share.labels)
    return file.getvalue()


def calibration_file(share: Digits) -> bytes:
    """Real inputs as an `.npy` file."""
    return _npy((share.images / np.float32(255)).astype(np.float32))


def job(devices: int, rounds: int) -> dict[str, Any]:
    """The federated job, as an operator writes it; the files that it names lie beside it."""
    return {
        "id": JOB,
        "rounds": rounds,
        "deadline_s": 60,
        "model": {
            "name": "digits",
            "initial": "start.f32",
            "example_floats": 64,
            "labels": LABELS,
            "trainers": {"simd": "simd.wasm", "scalar": "scalar.wasm"},
        },
        "local": {"epochs": 5, "batch": 16, "learning_rate": 0.1},
        "codec": {"name": "int8"},
        "participation": {"goal": devices, "quorum": max(1, devices - 1)},
        "evaluation": {"holdout": 0.2},
        "outcome": {
            "network": "network.json",
            "input_kind": "image",
            "input_scale": PIXEL_SCALE,
        },
    }


def pipeline_of(runtime: str) -> str:
    """Name the pipeline that runs the digits under a runtime, for comparison."""
    return f"digits-{runtime}"


@dataclass(frozen=True)
class Board:
    """A microcontroller's port, and the plan for it."""

    port: str
    plan: str


def config_toml(
    runtime: str, models: Mapping[str, str], images: str, board: Board | None = None
) -> str:
    """The configuration file of one agent.

    Args:
        runtime: of the pipeline that learns.
        models: a model's path for that runtime, and for each that runs beside it for comparison.
    """
    text = HEAD + _pipeline(LEARNER, runtime, models[runtime], images, loop=True)
    text += f'\n[pipelines.{LEARNER}.learning]\njobs = ["{JOB}"]\n'
    for other, model in models.items():
        if other != runtime:
            text += _pipeline(pipeline_of(other), other, model, images, loop=False)
    if board is None or MCU not in models:
        return text
    return text + (
        f"\n[pipelines.{pipeline_of(MCU)}.mcu]\nplan = {json.dumps(board.plan)}\n"
        f"\n[mcus.board]\nport = {json.dumps(board.port)}\n"
    )


def _pipeline(name: str, runtime: str, model: str, images: str, *, loop: bool) -> str:
    return f"""\

[pipelines.{name}]
model = {json.dumps(model)}
runtime = {json.dumps(runtime)}
preprocess = {{ kind = "image" }}

[pipelines.{name}.source]
kind = "replay"
path = {json.dumps(images)}
rate_hz = {RATE_HZ}
loop = {json.dumps(loop)}

[pipelines.{name}.postprocess]
kind = "classify"
labels = {json.dumps(LABELS)}
threshold = {THRESHOLD_BEFORE}
"""


def _npy(array: Any) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
