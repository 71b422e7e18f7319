"""The child of `selvedge bench`: one model under one runtime in a fresh process."""

import gc
import importlib
import random
import time
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.runtime.adapters.aot_cache import user_cache
from agent.runtime.adapters.child import answer
from agent.runtime.adapters.loading import Options, load, needs
from agent.runtime.protocol import TensorInfo

BUDGET_S = 20.0
"""Measuring ends here at the latest, whatever was asked; the answer says how many runs it was."""

FEWEST_RUNS = 3


def bench(question: dict[str, Any]) -> dict[str, Any]:
    """Answer one question of `agent.bench.cli`."""
    path, runtime = question["model"], question["runtime"]
    options = Options(
        question["threads"], question["delegate"], cache=user_cache(), deadline_s=None
    )  # as in a pipeline
    for name in needs(path, runtime):
        importlib.import_module(name)  # it takes its time, and is no part of loading a model
    start = time.perf_counter()
    model = load(path, runtime, options).model
    load_ms = (time.perf_counter() - start) * 1e3
    # Noise to measure with; numpy's generator would add its 7 MB to the figure of memory.
    source = random.Random(0)  # noqa: S311
    for index, info in enumerate(model.inputs):
        model.input_view(index)[...] = _any_input(info, source)
    times_ns = sorted(_times_ns(model.invoke, question["repeat"]))
    return {
        "median_ms": round(_percentile(times_ns, 50) / 1e6, 5),
        "p99_ms": round(_percentile(times_ns, 99) / 1e6, 5),
        "load_ms": round(load_ms, 2),
        "rss_mb": _peak_rss_mb(),
        "macs": model.macs(),
        "runs": len(times_ns),
        "runtime": model.info().runtime,
        "detail": model.info().detail,
    }


def _times_ns(invoke: Any, repeat: int) -> list[int]:
    """Time `repeat` calls after a tenth as many to warm up; the budget may end both early."""
    clock = time.perf_counter_ns
    times_ns: list[int] = []
    gc.disable()
    for wanted, budget_s in ((max(1, repeat // 10), BUDGET_S / 4), (repeat, BUDGET_S)):
        end_ns, times_ns = clock() + int(budget_s * 1e9), []
        while len(times_ns) < wanted and (clock() < end_ns or len(times_ns) < FEWEST_RUNS):
            start_ns = clock()
            invoke()
            times_ns.append(clock() - start_ns)
    return times_ns


def _percentile(ordered: list[int], percent: int) -> int:
    return ordered[(len(ordered) - 1) * percent // 100]


def _any_input(info: TensorInfo, source: random.Random) -> NDArray[Any]:
    """Integers over their whole range, or floats in [-1, 1)."""
    kind, count = np.dtype(info.dtype), prod(info.shape)
    if kind.kind in "iu":
        noise = np.frombuffer(source.randbytes(count * kind.itemsize), kind)
    else:
        noise = (np.frombuffer(source.randbytes(count), np.int8) / 128).astype(kind)
    return noise.reshape(info.shape)


def _peak_rss_mb() -> float | None:
    """The high-water mark of this process; `getrusage` would count the parent's before exec."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return round(int(found[0]) / 1024, 1) if found else None


if __name__ == "__main__":
    answer(bench)
