"""Federated learning: what it reaches, what it sends, and what it costs beside Flower.

`accuracy`: every strategy against training on pooled data, the same first parameters, batches and
epochs; the aggregator and the learner as they are, the trainer in its sandbox, all in one process.
`reference`: FedAvg beside twenty lines of numpy. `codecs`: what compression costs in accuracy.
`flower`: clients over real sockets, Flower's and ours one after the other: time, bytes on the
wire, memory. Data that are missing are named; SELVEDGE_DATA names their folder.
"""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.learning import accuracy, beside_flower, codecs
from benchmarks.learning.contest import CLIENTS, contest
from benchmarks.learning.problems import DIGITS_HEAD
from benchmarks.peers.install import MissingError

REFERENCE_ROUNDS, CODEC_ROUNDS, SOCKET_ROUNDS = 5, 40, 5


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument(
        "--problems", nargs="+", choices=accuracy.NAMES, default=accuracy.NAMES, metavar="NAME"
    )
    parser.add_argument(
        "--strategies",
        nargs="*",
        choices=accuracy.STRATEGIES,
        default=accuracy.STRATEGIES,
        metavar="NAME",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--rounds", type=int, help="instead of each problem's own")
    parser.add_argument(
        "--peers", nargs="+", choices=beside_flower.PEERS, default=list(beside_flower.PEERS)
    )
    parser.add_argument("--clients", type=int, default=CLIENTS, help="of the part `flower` (8)")
    arguments = parser.parse_args()
    # What was started ends with us, whoever ends us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    told: dict[str, Any] = {"benchmark": "federated", "machine": platform.machine()}
    told["load"] = round(os.getloadavg()[0], 1)
    for part in arguments.parts:
        try:
            told[part] = PARTS[part](arguments)
        except MissingError as error:
            told[part] = {"missing": str(error)}
    print(json.dumps(told, indent=1))


def _accuracy(arguments: argparse.Namespace) -> Any:
    return accuracy.measure(
        arguments.problems, arguments.strategies, arguments.seeds, arguments.rounds
    )


def _reference(arguments: argparse.Namespace) -> Any:
    rounds = arguments.rounds or REFERENCE_ROUNDS
    return {
        "rounds": rounds,
        "largest_difference": accuracy.equal_to_reference(DIGITS_HEAD, rounds),
    }


def _codecs(arguments: argparse.Namespace) -> Any:
    return codecs.measure(contest(arguments.rounds or CODEC_ROUNDS, CLIENTS))


def _flower(arguments: argparse.Namespace) -> Any:
    given = contest(arguments.rounds or SOCKET_ROUNDS, arguments.clients)
    return beside_flower.measure(given, arguments.peers)


PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "reference": _reference,
    "accuracy": _accuracy,
    "codecs": _codecs,
    "flower": _flower,
}


if __name__ == "__main__":
    main()
