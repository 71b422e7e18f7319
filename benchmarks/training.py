"""One epoch of training over 1,000 examples, beside PyTorch on one thread, in the same run.

A head of 64 features and 10 classes, and a small convolutional network for pictures of 28×28.
wasmtime and wasm3 are measured twice: the module alone, and in its sandbox, through the pipe.
Least of all epochs; epochs of all take turns, so that a change of the machine's speed meets all.
"""

import json
import os
import platform
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.learning.trainer.abi import TRAINER, describe
from agent.learning.trainer.adapters.instances import Instance, start
from agent.learning.trainer.adapters.session import Session
from agent.runtime.wasm.sealed import seal
from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.training.initial import initial_parameters
from toolchain.training.network import Conv2D, Dense, MaxPool2D, Network
from toolchain.training.trainer import to_trainer

EXAMPLES, BATCH, CLASSES = 1000, 32, 10
RATE, MOMENTUM = 0.05, 0.9
EPOCHS = {"head": 40, "cnn": 8}
SLOW_EPOCHS = 2
NETWORKS = {
    "head": Network((64,), (Dense(CLASSES),), batch=BATCH),
    "cnn": Network(
        (28, 28, 1),
        (
            Conv2D(8, 3, activation="relu"),
            MaxPool2D(),
            Conv2D(16, 3, activation="relu"),
            MaxPool2D(),
            Dense(CLASSES),
        ),
        batch=BATCH,
    ),
}
HYPER = struct.pack("<8f", RATE, MOMENTUM, *[0.0] * 6)
Epoch = Callable[[], float]
"""Trains on all examples once and returns the last loss."""


def torch_epoch(name: str, examples: NDArray[Any], labels: NDArray[Any]) -> Epoch:
    """PyTorch's own layers and optimizer, channels first as it likes them best."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    networks: dict[str, Callable[[], Any]] = {
        "head": lambda: nn.Linear(64, CLASSES),
        "cnn": lambda: nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(784, CLASSES)),
        ),
    }
    torch.manual_seed(1)
    network = networks[name]()
    shape = (-1, 64) if name == "head" else (-1, 1, 28, 28)
    x, y = torch.from_numpy(examples).reshape(shape), torch.from_numpy(labels).long()
    optimizer = torch.optim.SGD(network.parameters(), RATE, MOMENTUM)
    loss_of = nn.CrossEntropyLoss()

    def epoch() -> float:
        for i in range(0, EXAMPLES, BATCH):
            optimizer.zero_grad()
            loss = loss_of(network(x[i : i + BATCH]), y[i : i + BATCH])
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    return epoch


def module_epoch(
    network: Network, module: bytes, runtime: str, examples: NDArray[Any], labels: NDArray[Any]
) -> Epoch:
    """The module alone, its memory written in place."""
    sealed = seal(module, TRAINER)
    instance: Instance = start(sealed, runtime, None)
    _, places = describe(
        lambda name: int(instance.call(name)), sealed.memory_bytes, sealed.optional
    )
    memory = np.frombuffer(instance.memory, np.uint8)

    def put(at: int, data: bytes) -> None:
        memory[at : at + len(data)] = np.frombuffer(data, np.uint8)

    put(places.params, initial_parameters(network, 1).tobytes())
    put(places.hyper, HYPER)

    def epoch() -> float:
        loss = 0.0
        for i in range(0, EXAMPLES, BATCH):
            x, y = examples[i : i + BATCH], labels[i : i + BATCH]
            put(places.examples, x.tobytes())
            put(places.labels, y.tobytes())
            loss = float(instance.call("sv_train", len(y)))
        return loss

    return epoch


def session_epoch(
    network: Network, session: Session, examples: NDArray[Any], labels: NDArray[Any]
) -> Epoch:
    """The same through the pipe."""
    session.write_parameters(initial_parameters(network, 1).tobytes())
    session.write_hyper(HYPER)

    def epoch() -> float:
        loss = 0.0
        for i in range(0, EXAMPLES, BATCH):
            x, y = examples[i : i + BATCH], labels[i : i + BATCH]
            loss = session.train(x.tobytes(), y.tobytes(), len(y))
        return loss

    return epoch


def measure(name: str) -> list[dict[str, Any]]:
    """All contestants for one network."""
    network = NETWORKS[name]
    rng = np.random.default_rng(1)
    features = int(np.prod(network.input))
    examples = rng.standard_normal((EXAMPLES, features)).astype(np.float32)
    labels = rng.integers(0, CLASSES, EXAMPLES).astype(np.int32)
    modules = {
        target: to_trainer(network, load(f"trainer-{target}"), name, target)
        for target in ("simd", "scalar")
    }
    runs = (("wasmtime", "simd"), ("wasmtime", "scalar"), ("wasm3", "scalar"))
    sessions = {run: Session(modules[run[1]], run[0]) for run in runs}
    contestants: dict[str, Epoch] = {"PyTorch": torch_epoch(name, examples, labels)}
    for runtime, target in runs:
        key = f"{runtime} {target}"
        contestants[key] = module_epoch(network, modules[target], runtime, examples, labels)
        session = sessions[runtime, target]
        contestants[f"{key}, sandbox"] = session_epoch(network, session, examples, labels)
    times: dict[str, list[float]] = {key: [] for key in contestants}
    losses: dict[str, float] = {}
    for turn in range(EPOCHS[name]):
        for key, epoch in contestants.items():
            if turn < SLOW_EPOCHS or "wasm3" not in key:
                began = time.perf_counter()
                losses[key] = epoch()
                times[key].append((time.perf_counter() - began) * 1000)
    for session in sessions.values():
        session.close()
    least = {key: min(found) for key, found in times.items()}
    return [
        {
            "network": name,
            "runtime": key,
            "epoch_ms": round(least[key], 2),
            "median_ms": round(float(np.median(times[key])), 2),
            "of_pytorch": round(least[key] / least["PyTorch"], 3),
            "loss": round(losses[key], 4),
        }
        for key in contestants
    ]


def main() -> None:
    """Print one JSON object."""
    import torch

    rows = [row for name in sys.argv[1:] or NETWORKS for row in measure(name)]
    print(
        json.dumps(
            {
                "benchmark": "training",
                "examples": EXAMPLES,
                "batch": BATCH,
                "torch": torch.__version__,
                "machine": platform.machine(),
                "rows": rows,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main()
