"""The child of `selvedge bench`: one model under one runtime in a fresh process."""

import gc
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.runtime.adapters.child import answer
from agent.runtime.adapters.loading import load
from agent.runtime.operators import macs
from agent.runtime.protocol import TensorInfo

BUDGET_S = 20.0
"""Measuring ends here at the latest, whatever was asked; the answer says how many runs it was."""

FEWEST_RUNS = 3


def bench(question: dict[str, Any]) -> dict[str, Any]:
    """Answer one question of `agent.bench.cli`."""
    _load(question)  # imports the library, which is no part of loading a model
    gc.collect()
    start = time.perf_counter()
    model = _load(question)
    load_ms = (time.perf_counter() - start) * 1e3
    random = np.random.default_rng(0)
    for index, info in enumerate(model.inputs):
        model.input_view(index)[...] = _any_input(info, random)
    times_ns = _times_ns(model.invoke, question["repeat"])
    median_ms, p99_ms = np.percentile(times_ns, (50, 99)) / 1e6
    return {
        "median_ms": round(float(median_ms), 5),
        "p99_ms": round(float(p99_ms), 5),
        "load_ms": round(load_ms, 2),
        "rss_mb": _peak_rss_mb(),
        "macs": macs(model.operators()),
        "runs": len(times_ns),
        "detail": model.info().detail,
    }


def _load(question: dict[str, Any]) -> Any:
    return load(
        question["model"], question["runtime"], question["threads"], question["delegate"]
    ).model


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


def _any_input(info: TensorInfo, random: np.random.Generator) -> NDArray[Any]:
    kind = np.dtype(info.dtype)
    if kind.kind in "iu":
        limits = np.iinfo(info.dtype)
        return random.integers(limits.min, limits.max, info.shape, dtype=kind.type, endpoint=True)
    return random.uniform(-1, 1, info.shape).astype(kind)


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
