"""`selvedge fl simulate`: try the terms of a job on virtual devices before it is shipped."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from broker.aggregator.adapters.store_sqlite import SqliteStore
from broker.aggregator.job.check import check_runnable
from broker.aggregator.job.machine import State
from broker.contract.blobs import BlobRef, blob_ref
from broker.contract.codec import encode_json
from broker.contract.errors import MessageError
from broker.contract.exit_code import ExitCode
from broker.contract.federated.job import JobSpec, read_job
from broker.contract.outcome import Outcome
from broker.contract.shape import to_tree
from broker.errors import UsageError
from broker.learning.progress import series
from broker.learning.simulation.task import CLASSES, FEATURES, PARAMETERS
from broker.learning.simulation.world import START_MS, Conditions, World
from broker.learning.start_cli import changed, read_tree
from broker.learning.watch_cli import write_rounds


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("file", metavar="JOB", type=Path, nargs="?", help="terms to try (FedAvg)")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="change a term of the job"
    )
    parser.add_argument("--devices", type=int, default=100, help="virtual ones (100)")
    parser.add_argument("--rounds", type=int, help="instead of those of the job")
    parser.add_argument("--dropout", type=float, default=0.1, help="share of lost trainings (0.1)")
    parser.add_argument("--loss", type=float, default=0.01, help="share of lost messages (0.01)")
    parser.add_argument(
        "--alpha", type=float, default=0.5, help="Dirichlet: smaller, more different devices (0.5)"
    )
    parser.add_argument("--seed", type=int, default=0, help="equal seeds, equal results (0)")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write simulation.csv and .png")


def run(arguments: argparse.Namespace) -> Outcome:
    """Play the job to its end.

    Raises:
        UsageError: the terms or the conditions make no sense.
        ConfigError: the files cannot be written.
    """
    conditions = _conditions(arguments)
    spec = _spec(arguments, conditions)
    began = time.monotonic()
    world = World(spec, SqliteStore(None), conditions, arguments.seed)
    with tqdm(total=spec.rounds, desc="rounds", disable=not sys.stderr.isatty()) as bar:

        def seen(played: World) -> None:
            bar.update(played.aggregation.job.finished - bar.n)

        world.run(seen)
    tree = _tree(world, time.monotonic() - began)
    text = "\n".join(f"{key}: {value}" for key, value in tree.items() if key != "accuracy")
    if arguments.out is not None:
        history = tuple(world.aggregation.job.history)
        scores = [(at, score[1]) for at, score in enumerate(world.scores)]
        curves = {**series(history), "accuracy": scores}
        write_rounds(arguments.out, "simulation", history, curves)
    done = world.aggregation.job.state in (State.DONE, State.STOPPED)
    return Outcome(text, tree, ExitCode.DONE if done else ExitCode.CONFIGURATION)


def _tree(world: World, seconds: float) -> dict[str, Any]:
    job = world.aggregation.job
    received = sum(report.bytes for report in job.history)
    updates = sum(report.updates for report in job.history)
    return {
        "state": job.state.value,
        "reason": job.reason,
        "rounds": job.finished,
        "opened": job.opened,
        "devices": world.conditions.devices,
        "updates": updates,
        "dropped": world.dropped,
        "messages_lost": world.lost,
        "bytes_per_update": round(received / updates) if updates else None,
        "epsilon": job.epsilon,
        "accuracy": [round(score[1], 4) for score in world.scores],
        "accuracy_before": round(world.scores[0][1], 4),
        "accuracy_after": round(world.scores[-1][1], 4),
        "simulated_s": (world.now_ms - START_MS) // 1000,
        "seconds": round(seconds, 1),
    }


def _conditions(arguments: argparse.Namespace) -> Conditions:
    if not 1 <= arguments.devices <= 10**6:
        raise UsageError("--devices: must be 1 to 1000000")
    for name in ("dropout", "loss"):
        if not 0 <= getattr(arguments, name) < 1:
            raise UsageError(f"--{name}: must be 0 or more and below 1")
    if not 0 < arguments.alpha <= 1e6:
        raise UsageError("--alpha: must be above 0")
    return Conditions(
        devices=arguments.devices,
        dropout=arguments.dropout,
        loss=arguments.loss,
        concentration=arguments.alpha,
    )


def _spec(arguments: argparse.Namespace, conditions: Conditions) -> JobSpec:
    """The job's terms with the model of the simulation in place of its own."""
    tree: dict[str, Any] = {"id": "simulation"}
    if arguments.file is not None:
        tree = read_tree(arguments.file)
    if arguments.file is None:
        expected = max(1, int(0.95 * (1 - conditions.dropout) * conditions.devices))
        tree["participation"] = {"goal": expected, "quorum": max(1, expected // 2)}
        tree["codec"] = {"name": "int8"}
    more = [] if arguments.rounds is None else [f"rounds={arguments.rounds}"]
    for text in [*arguments.set, *more]:
        changed(tree, text)
    # Virtual devices judge nothing, and nobody runs what they learn.
    tree.pop("outcome", None)
    tree.pop("evaluation", None)
    initial = blob_ref(np.zeros(PARAMETERS, "<f4").tobytes())
    tree["model"] = {
        "name": "simulated",
        "parameters": PARAMETERS,
        "initial": to_tree(initial),
        "trainers": {"numpy": to_tree(BlobRef("0" * 64, 1))},
        "example_floats": FEATURES,
        "labels": [str(label) for label in range(CLASSES)],
    }
    try:
        spec = read_job(encode_json(tree))
        check_runnable(spec)
    except MessageError as error:
        raise UsageError(str(error)) from None
    return spec
