"""Federated learning: what it reaches, what it sends, and what it costs beside Flower.

`accuracy`: every strategy against training on pooled data, the same first parameters, batches and
epochs; the aggregator and the learner as they are, the trainer in its sandbox, all in one process.
`reference`: FedAvg beside twenty lines of numpy. Data that are missing are named, not skipped in
silence; SELVEDGE_DATA names their folder.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable
from typing import Any

from benchmarks.learning import accuracy
from benchmarks.learning.problems import DIGITS_HEAD

REFERENCE_ROUNDS = 5


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
    arguments = parser.parse_args()
    told: dict[str, Any] = {"benchmark": "federated", "machine": platform.machine()}
    told["load"] = round(os.getloadavg()[0], 1)
    for part in arguments.parts:
        told[part] = PARTS[part](arguments)
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


PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "reference": _reference,
    "accuracy": _accuracy,
}


if __name__ == "__main__":
    main()
