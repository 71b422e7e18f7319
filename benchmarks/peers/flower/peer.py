"""Flower's side of the comparison: FedAvg with as little around it as Flower allows.

The same network, parameters and examples as ours, trained by numpy, the lightest that a client of
Flower can import. It runs in a venv of its own and imports nothing of this project.
"""

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

client = ClientApp()
server = ServerApp()
Floats = NDArray[np.float32]


def answers(parameters: list[Floats], x: Floats) -> tuple[Floats, Floats]:
    """Hidden values and probabilities of a network of two dense layers, ReLU between."""
    w1, b1, w2, b2 = parameters
    hidden = np.maximum(x @ w1.T + b1, 0)
    scores = hidden @ w2.T + b2
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, powers / powers.sum(axis=1, keepdims=True)


def train(
    parameters: list[Floats],
    x: Floats,
    y: NDArray[np.int64],
    rate: np.float32,
    batch: int,
    order: NDArray[np.int64],
) -> None:
    """One epoch of SGD, in place."""
    w1, b1, w2, b2 = parameters
    for first in range(0, len(y), batch):
        at = order[first : first + batch]
        hidden, slope = answers(parameters, x[at])
        slope[np.arange(len(at)), y[at]] -= 1
        slope /= len(at)
        back = (slope @ w2) * (hidden > 0)
        w2 -= rate * (slope.T @ hidden)
        b2 -= rate * slope.sum(axis=0)
        w1 -= rate * (back.T @ x[at])
        b1 -= rate * back.sum(axis=0)


@client.train()
def round_of_a_device(message: Message, context: Context) -> Message:
    """Train on the device's file, and send all parameters back."""
    config = context.run_config
    with np.load(str(context.node_config["data"])) as held:
        x, y = held["examples"], held["labels"]
    parameters = [array.copy() for array in message.content["arrays"].to_numpy_ndarrays()]
    number = int(message.content["config"]["server-round"])
    order = np.random.default_rng(number).permutation(len(y))
    train(parameters, x, y, np.float32(config["rate"]), int(config["batch"]), order)
    told = MetricRecord({"num-examples": len(y)})
    content = RecordDict({"arrays": ArrayRecord(parameters), "metrics": told})
    return Message(content=content, reply_to=message)


@server.main()
def main(grid: Grid, context: Context) -> None:
    """Play all rounds; a line for each goes to `rounds.jsonl` as soon as its model is there."""
    config = context.run_config
    folder, devices = Path(str(config["folder"])), int(config["devices"])
    with np.load(folder / "test.npz") as held:
        x, y = held["examples"], held["labels"]
    with np.load(folder / "first.npz") as held:
        first = ArrayRecord([held[name] for name in held.files])

    def evaluate(number: int, arrays: ArrayRecord) -> MetricRecord:
        at = time.time()
        _, chances = answers(arrays.to_numpy_ndarrays(), x)
        accuracy = float((chances.argmax(axis=1) == y).mean())
        with (folder / "rounds.jsonl").open("a") as file:
            file.write(json.dumps({"round": number, "at": at, "accuracy": accuracy}) + "\n")
        return MetricRecord({"accuracy": accuracy})

    strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=devices, min_available_nodes=devices)
    strategy.start(
        grid=grid, initial_arrays=first, num_rounds=int(config["rounds"]), evaluate_fn=evaluate
    )
