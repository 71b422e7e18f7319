"""One runtime with one model, timed on request: the process behind a row of `runtimes.py`.

Arguments: runtime, delegate, model, file of the input's bytes, cache folder; `-` is none. Prints
one line of JSON when the model is loaded and has answered once; then, for every number of
milliseconds read, runs for that long, once at least, and prints the times of all runs.
"""

import hashlib
import importlib
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MICRO_ARENA_BYTES = 64 << 20
MAX_RUNS = 2000


class Steps(NamedTuple):
    """What is timed apart; `copy_out` returns the output."""

    copy_in: Callable[[], object]
    compute: Callable[[], object]
    copy_out: Callable[[], Any]


def main() -> None:
    """Serve until the input ends."""
    runtime, delegate, model, inputs, cache = (None if one == "-" else one for one in sys.argv[1:])
    data = Path(str(inputs)).read_bytes()
    load = (
        micro(str(model), data)
        if runtime == "micro"
        else ours(runtime, delegate, model, cache, data)
    )
    began = time.perf_counter_ns()
    steps, library = load()
    loaded = time.perf_counter_ns()
    first_ms = sum(timed(steps))
    sha256 = hashlib.sha256(np.asarray(steps.copy_out()).tobytes()).hexdigest()
    say(
        {
            "load_ms": (loaded - began) / 1e6,
            "first_ms": first_ms,
            "library": library,
            "sha256": sha256,
        }
    )
    for line in sys.stdin:
        runs, until = [timed(steps)], time.perf_counter_ns() + float(line) * 1e6
        while len(runs) < MAX_RUNS and time.perf_counter_ns() < until:
            runs.append(timed(steps))
        say(runs)


def timed(steps: Steps) -> list[float]:
    """Milliseconds of each step of one run."""
    at = [time.perf_counter_ns()]
    for step in steps:
        step()
        at.append(time.perf_counter_ns())
    return [(after - before) / 1e6 for before, after in itertools.pairwise(at)]


def ours(
    runtime: str | None, delegate: str | None, model: str | None, cache: str | None, data: bytes
) -> Callable[[], tuple[Steps, str]]:
    """A runtime of the agent; what it imports is imported before the clock starts."""
    from agent.runtime.adapters.loading import Options, load, needs

    for name in needs(str(model), str(runtime)):
        importlib.import_module(name)
    folder = Path(cache) if cache else None
    options = Options(delegate=delegate or "xnnpack", cache=folder, deadline_s=None)  # as pipelines

    def loader() -> tuple[Steps, str]:
        found = load(str(model), str(runtime), options).model
        info = found.inputs[0]
        values = np.frombuffer(data, info.dtype).reshape(info.shape)

        def copy_in() -> None:
            found.input_view(0)[...] = values

        return Steps(
            copy_in, found.invoke, lambda: found.output_view(0).copy()
        ), found.info().detail

    return loader


def micro(model: str, data: bytes) -> Callable[[], tuple[Steps, str]]:
    """The wheel of TFLite Micro; its interpreter takes and gives copies only."""
    from tflite_micro.python.tflite_micro import runtime

    def loader() -> tuple[Steps, str]:
        found = runtime.Interpreter.from_file(model, arena_size=MICRO_ARENA_BYTES)
        detail = found.get_input_details(0)
        values = np.frombuffer(data, detail["dtype"]).reshape(detail["shape"])
        return Steps(
            lambda: found.set_input(values, 0), found.invoke, lambda: found.get_output(0)
        ), "tflite-micro"

    return loader


def say(value: object) -> None:
    """Print one line."""
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
