"""What quantization costs: networks trained here, exported to int8, judged on held-out examples.

Accuracy in float, in int8 with ranges from training examples, and with ranges from noise, which is
what a job without a calibration gets. Data that are missing are named; SELVEDGE_DATA names their
folder. `head` stands on a frozen backbone that has seen only five of the ten digits.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from agent.learning.learner.dataset import Dataset, Floats
from agent.learning.learner.training import train
from benchmarks.learning import data
from benchmarks.learning.play import trainer_of
from benchmarks.learning.problems import HEAD, PICTURES, PIXELS
from benchmarks.peers.install import MissingError
from broker.contract.federated.job import LocalSpec
from toolchain.export import calibration as c
from toolchain.export.adapters.engine_run import EngineRun
from toolchain.export.forward import ranges
from toolchain.export.layers import layers_of
from toolchain.export.quantize import Int8, Quantized, Trained, quantize
from toolchain.tflite.model import Quantization
from toolchain.training.initial import initial_parameters
from toolchain.training.network import Conv2D, Dense, DepthwiseConv2D, MaxPool2D, Network

CALIBRATION = 200
SEED = 1
UNIT = Quantization((float(np.float32(1 / 255)),), (-128,))
DEPTHWISE = Network(
    (8, 8, 1),
    (
        Conv2D(16, 3, activation="relu"),
        DepthwiseConv2D(3, activation="relu6"),
        Conv2D(24, 1, activation="relu"),
        MaxPool2D(),
        Dense(10),
    ),
    batch=256,
)
FEATURES = Network(
    (28, 28, 1),
    (
        Conv2D(8, 3, activation="relu"),
        MaxPool2D(),
        Conv2D(16, 3, activation="relu"),
        MaxPool2D(),
        Dense(32, "relu"),
        Dense(10),
    ),
    batch=256,
)
ON_FEATURES = Network((32,), (Dense(10),), batch=256)
RUN = EngineRun()


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    told: dict[str, Any] = {"benchmark": "export", "calibration_inputs": CALIBRATION}
    for name in parser.parse_args().cases:
        try:
            told[name] = CASES[name]()
        except MissingError as error:
            told[name] = {"missing": str(error)}
    print(json.dumps(told, indent=1))


def whole(
    network: Network, get: Callable[[], data.Split], scale: Quantization | None, epochs: int
) -> dict[str, Any]:
    """A network on raw inputs."""
    split = get()
    learned = trained(network, split.train, epochs)
    inputs = split.train.examples[:CALIBRATION]
    exports = {
        "calibrated": quantize(Trained(network, learned, None, scale), inputs, RUN),
        "noise": quantize(Trained(network, learned, None, scale), None, RUN),
    }
    _, logits = ranges(layers_of(network, learned), split.test.examples)
    return _row(logits, split.test, exports)


def head() -> dict[str, Any]:
    """A head on a backbone that is int8, and saw digits 0 to 4 only."""
    split = data.mnist()
    seen = split.train.part(np.flatnonzero(split.train.labels < 5))
    learned = trained(FEATURES, seen, 3)
    frozen = Network(FEATURES.input, FEATURES.layers[:-1], "squared_error")
    last = ON_FEATURES.layers[-1]
    assert isinstance(last, Dense)
    kept = learned[: -(32 + 1) * last.units]
    backbone = quantize(Trained(frozen, kept, None, UNIT), seen.examples[:CALIBRATION], RUN)

    def features(examples: Floats) -> Floats:
        found = RUN(backbone.model, c.to_int8(examples, UNIT))
        assert backbone.output.quantization is not None
        return c.to_real(found, backbone.output.quantization)

    own = Dataset(features(split.train.examples), split.train.labels)
    test = Dataset(features(split.test.examples), split.test.labels)
    top = trained(ON_FEATURES, own, 20)
    joined = Trained(ON_FEATURES, top, backbone.model)
    exports = {
        "calibrated": quantize(joined, split.train.examples[:CALIBRATION], RUN),
        "noise": quantize(joined, None, RUN),
    }
    _, logits = ranges(layers_of(ON_FEATURES, top), test.examples)
    return _row(logits, split.test, exports)


def trained(network: Network, examples: Dataset, epochs: int) -> Floats:
    """Train in wasm, as devices do."""
    local = LocalSpec(epochs, 32, 0.1, max_steps=100_000)
    start = initial_parameters(network, SEED)
    return train(trainer_of(network), examples, start, local, b"export").parameters


def _row(logits: Floats, test: Dataset, exports: dict[str, Quantized]) -> dict[str, Any]:
    right = float((logits.argmax(axis=1) == test.labels).mean())
    row: dict[str, Any] = {"test_examples": len(test), "float_accuracy": round(right, 4)}
    for name, made in exports.items():
        answers = RUN(made.model, _as_int8(test.examples, made))
        share = float((answers.argmax(axis=1) == test.labels).mean())
        same = float((answers.argmax(axis=1) == logits.argmax(axis=1)).mean())
        row[name] = {
            "accuracy": round(share, 4),
            "points_lost": round(100 * (right - share), 2),
            "agreement": round(same, 4),
            "bytes": len(made.model),
        }
    return row


def _as_int8(examples: Floats, made: Quantized) -> Int8:
    assert made.input.quantization is not None
    return c.to_int8(examples, made.input.quantization)


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "digits_dense": lambda: whole(PIXELS, data.digits, UNIT, 20),
    "digits_depthwise": lambda: whole(DEPTHWISE, data.digits, UNIT, 20),
    "fsdd_dense": lambda: whole(HEAD, data.fsdd, None, 30),
    "mnist_cnn": lambda: whole(PICTURES, data.mnist, UNIT, 3),
    "mnist_head": head,
}


if __name__ == "__main__":
    main()
