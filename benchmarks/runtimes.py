"""Every runtime on every model, in one run on one thread: medians, ratios, and where time goes.

Each runtime is a process of its own with the model loaded; blocks of runs go round among them, so
that a change of the machine's speed meets all. A run is: input copied in, computed, output copied
out. Our runtimes in Python run behind the agent's own code, with its deadlines and checks. One JSON
object on stdout, tables on stderr. A runtime that is missing is named, with the reason. Sizes are
those of the file that is loaded; tfjs-tflite's include its interpreter, which our modules bring.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.files import models_named, save, save_input
from benchmarks.peers.install import MissingError
from benchmarks.peers.process import Running
from benchmarks.peers.rows import GOALS, ROWS, Row, command
from benchmarks.peers.table import table
from toolchain.inspect.macs import macs
from toolchain.tflite.reader import read

STEPS = ("copy_in_ms", "compute_ms", "copy_out_ms")
PEERS = ("tfjs-tflite", "tflite-runtime", "litert-xnnpack")
REFERENCE = "tflite-micro"
WARM_MS = 300


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="", help="only those whose name contains this")
    names = [row.name for row in ROWS]
    parser.add_argument("--runtimes", nargs="+", choices=names, default=names, metavar="RUNTIME")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--block-ms", type=float, default=100.0, help="of a runtime in a round")
    arguments = parser.parse_args()
    tables = []
    for name, model in models_named(arguments.models):
        if isinstance(model, Path):
            print(f"\n{name}: missing: {model}", file=sys.stderr)
            tables.append({"model": name, "missing": str(model)})
            continue
        rows = [row for row in ROWS if row.name in arguments.runtimes]
        found = measure(name, model, rows, arguments.rounds, arguments.block_ms)
        print(table(found), file=sys.stderr, flush=True)
        tables.append(found)
    print(json.dumps({"benchmark": "runtimes", "models": tables}, indent=1))


def measure(
    name: str, model: bytes, wanted: Sequence[Row], rounds: int, block_ms: float
) -> dict[str, Any]:
    """Measure one model under some runtimes."""
    graph = read(model).main
    work = sum(macs(graph, operator) for operator in graph.operators)
    rows: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running: dict[str, Running] = {}
        for row in wanted:
            rows[row.name] = found = {"runtime": row.name}
            try:
                running[row.name] = start(row, model, folder, found)
                stack.callback(running[row.name].end)
            except MissingError as error:
                found["missing"] = str(error)
        for one in running.values():
            one.ask(WARM_MS)  # just-in-time compilers settle
        for _ in range(rounds):
            for one in running.values():
                one.runs += one.ask(block_ms)
    for key, one in running.items():
        rows[key] |= summary(one.runs, work)
    for found in (rows[key] for key in running):
        for peer in (peer for peer in PEERS if peer in running):
            found[f"times_{peer}"] = found["median_ms"] / rows[peer]["median_ms"]
            found[f"least_times_{peer}"] = found["min_ms"] / rows[peer]["min_ms"]
        if REFERENCE in running:
            found["equals_tflite_micro"] = found["sha256"] == rows[REFERENCE]["sha256"]
    return {"model": name, "macs": work, "rows": list(rows.values()), "goals": goals(name, rows)}


def start(row: Row, model: bytes, folder: Path, found: dict[str, Any]) -> Running:
    """Start a row's process; wasmtime twice, to load once without and once with its cache.

    Raises:
        MissingError: this machine or the toolchain lacks it, or it refuses the model.
    """
    path = save(model, row.takes, folder)
    cache = folder / row.name
    cache.mkdir(mode=0o700)
    line = command(row, path, save_input(model, folder), cache)
    one = Running(line)
    if row.runtime == "wasmtime":
        found["cold_load_ms"] = one.told["load_ms"]
        one.end()
        one = Running(line)
    size = path.stat().st_size + one.told.pop("runtime_bytes", 0)
    found |= {**one.told, "kilobytes": size / 1000}
    found["ready_ms"] = found["load_ms"] + found["first_ms"]
    return one


def summary(runs: list[list[float]], work: int) -> dict[str, Any]:
    """Median and least of whole runs, medians of their steps."""
    totals = [sum(run) for run in runs]
    median = statistics.median(totals)
    steps = {step: statistics.median(run[i] for run in runs) for i, step in enumerate(STEPS)}
    return {
        "runs": len(runs),
        "median_ms": median,
        "min_ms": min(totals),
        **steps,
        "ns_per_mac": median * 1e6 / work,
    }


def goals(name: str, rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What was hoped for, beside what was measured."""
    listed = []
    for goal in (goal for goal in GOALS if name in goal.models):
        for row in (row for row in goal.rows if row in rows):
            key = f"times_{goal.peer}" if goal.peer else goal.column
            if key in rows[row]:
                hope = {"runtime": row, "figure": key, "at_most": goal.limit}
                listed.append({**hope, "measured": rows[row][key]})
                if goal.peer:  # on a busy machine the least times say more than the medians
                    listed[-1]["of_least_times"] = rows[row][f"least_{key}"]
    return listed


if __name__ == "__main__":
    main()
