"""Accuracy per round of every strategy, beside central training and a reference in numpy."""

import statistics
import sys
import time
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import numpy as np

from agent.learning.learner.dataset import Floats
from agent.learning.learner.training import batches
from benchmarks.learning import play, reference
from benchmarks.learning.direct import Direct
from benchmarks.learning.play import Played, Score
from benchmarks.learning.problems import PROBLEMS, Fleet, Problem, dealt
from benchmarks.learning.strategies import SETTINGS, setting, specs
from benchmarks.peers.install import MissingError
from broker.contract.federated.codecs.spec import CodecSpec
from broker.contract.federated.job import StrategySpec

LAST = 5
"""So many rounds at the end give the accuracy that is compared: one alone is noisy."""


def measure(
    names: list[str], strategies: list[str], seeds: list[int], rounds: int | None
) -> list[dict[str, Any]]:
    """A row for each problem; data that are missing are named."""
    rows = []
    for problem in (one for one in PROBLEMS if one.name in names):
        try:
            rows.append(_problem(problem, strategies, seeds, rounds or problem.rounds))
        except MissingError as error:
            rows.append({"problem": problem.name, "missing": str(error)})
    return rows


def _problem(
    problem: Problem, strategies: list[str], seeds: list[int], rounds: int
) -> dict[str, Any]:
    curves: dict[str, list[list[Score]]] = {}
    seconds: dict[str, list[float]] = {}
    for seed in seeds:
        fleet, start = dealt(problem, seed), play.first(problem, seed)
        for name in ("central", *strategies):
            began = time.monotonic()
            trainer = play.trainer_of(problem.network)
            curve = list(_curve(problem, name, fleet, trainer, start, seed, rounds))
            seconds.setdefault(name, []).append(time.monotonic() - began)
            curves.setdefault(name, []).append(curve)
            end = f"{100 * curve[-1].accuracy:.1f} %"
            print(f"{problem.name} seed {seed} {name}: {end}", file=sys.stderr)
    at_best = _final(curves["central"])
    return {
        "problem": problem.name,
        "says": problem.says,
        "devices": len(fleet.devices),
        "examples": fleet.pooled,
        "test_examples": len(fleet.test),
        "parameters": len(start),
        "rounds": rounds,
        "seeds": seeds,
        "rows": [
            _row(problem, name, curves[name], seconds[name], at_best)
            for name in ("central", *strategies)
        ],
    }


def _curve(
    problem: Problem,
    name: str,
    fleet: Fleet,
    trainer: Direct,
    start: Floats,
    seed: int,
    rounds: int,
) -> Iterable[Score]:
    if name == "central":
        return play.central(problem, fleet, trainer, start, rounds)
    chosen = setting(name, problem.own.get(name, {}))
    strategy, local = specs(name, chosen, problem.local, len(fleet.devices))
    spec = play.job(start, fleet, local, strategy, rounds, CodecSpec())
    return Played(spec, fleet, trainer, start, seed).run()


def _row(
    problem: Problem,
    name: str,
    curves: list[list[Score]],
    seconds: list[float],
    central: float,
) -> dict[str, Any]:
    row: dict[str, Any] = {"strategy": name}
    if name != "central":
        chosen = setting(name, problem.own.get(name, {}))
        row["options"] = dict(chosen.options)
        if chosen.prox_mu:
            row["prox_mu"] = chosen.prox_mu
        row["points_below_central"] = round(100 * (central - _final(curves)), 2)
        row["upload_bytes"] = round(statistics.median(one[-1].upload_bytes for one in curves))
    return row | {
        "final_accuracy": round(_final(curves), 4),
        "spread": round(max(map(last, curves)) - min(map(last, curves)), 4),
        "seconds": round(statistics.median(seconds), 1),
        "accuracy": [
            round(statistics.mean(each), 4)
            for each in zip(*([s.accuracy for s in c] for c in curves), strict=True)
        ],
    }


def last(curve: list[Score]) -> float:
    """The accuracy that is compared."""
    return statistics.mean(score.accuracy for score in curve[-LAST:])


def _final(curves: list[list[Score]]) -> float:
    return statistics.mean(map(last, curves))


def equal_to_reference(problem: Problem, rounds: int, seed: int = 1) -> float:
    """The largest difference of a parameter between FedAvg here and the reference, in any round.

    The problem must be a head: one dense layer.
    """
    fleet, start = dealt(problem, seed), play.first(problem, seed)
    spec = play.job(start, fleet, problem.local, StrategySpec("fedavg"), rounds, CodecSpec("f32"))
    played = Played(spec, fleet, play.trainer_of(problem.network), start, seed)
    for _ in played.run():
        pass
    seeds = {told.number: told.seed for told in played.rounds}

    def order(device: str, number: int, count: int) -> Iterable[Any]:
        chosen = sha256(f"{seeds[number]}/{number}/{device}/order".encode()).digest()
        return batches(count, spec.local, chosen)

    devices = {
        name: (each.examples.astype(np.float64), each.labels.astype(np.int32))
        for name, each in fleet.devices.items()
    }
    models = reference.fedavg(
        start.astype(np.float64), devices, problem.local.learning_rate, list(seeds), order
    )
    pairs = zip(played.models[1:], models, strict=True)
    return max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs)


NAMES = [problem.name for problem in PROBLEMS]
STRATEGIES = list(SETTINGS)
