"""What the demo gives its agents: a model, held-out digits, and a configuration."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from toolchain.digits import Digits, accuracy, quantize, split, train

SEED = 7
RATE_HZ = 25.0
THRESHOLD_BEFORE = 0.5
THRESHOLD_AFTER = 0.8
MCU = "mcu"
HEAD = """\
metrics_interval_s = 1.0

[outbox]
commit_interval_ms = 1000
"""


@dataclass(frozen=True)
class Recipe:
    """One model for all, and a share of the held-out digits for each device."""

    model: bytes
    accuracy: float
    shares: dict[str, Digits]


def prepare(digits: Digits, devices: list[str], on_epoch: Callable[[int], object]) -> Recipe:
    """Train, quantize, and deal the held-out digits to the devices."""
    rng = np.random.default_rng(SEED)
    known, held_out = split(digits, rng)
    network = train(known, rng, on_epoch=on_epoch)
    shares = {
        device: held_out.take(np.arange(place, len(held_out), len(devices)))
        for place, device in enumerate(devices)
    }
    quantized = quantize(network, known.images)
    return Recipe(quantized, accuracy(network, held_out.images, held_out.labels), shares)


def images_file(share: Digits) -> bytes:
    """The images as an `.npy` file."""
    file = BytesIO()
    np.save(file, share.images, allow_pickle=False)
    return file.getvalue()


def pipeline_of(runtime: str) -> str:
    """Name the pipeline that runs the digits under a runtime."""
    return f"digits-{runtime}"


@dataclass(frozen=True)
class Board:
    """A microcontroller's port, and the plan for it."""

    port: str
    plan: str


def config_toml(models: Mapping[str, str], images: str, board: Board | None = None) -> str:
    """The configuration file of one agent; `models` holds a model's path for each runtime."""
    text = HEAD + "".join(_pipeline(name, path, images) for name, path in models.items())
    if board is None or MCU not in models:
        return text
    return text + (
        f"\n[pipelines.{pipeline_of(MCU)}.mcu]\nplan = {json.dumps(board.plan)}\n"
        f"\n[mcus.board]\nport = {json.dumps(board.port)}\n"
    )


def _pipeline(runtime: str, model: str, images: str) -> str:
    labels = [str(digit) for digit in range(10)]
    return f"""\

[pipelines.{pipeline_of(runtime)}]
model = {json.dumps(model)}
runtime = {json.dumps(runtime)}
source = {{ kind = "replay", path = {json.dumps(images)}, rate_hz = {RATE_HZ} }}
preprocess = {{ kind = "image" }}

[pipelines.{pipeline_of(runtime)}.postprocess]
kind = "classify"
labels = {json.dumps(labels)}
threshold = {THRESHOLD_BEFORE}
"""
