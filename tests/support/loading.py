"""Feeds seeds of mutants to children that load them, and counts what comes of each."""

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BATCH = 250
"""wasm3 frees nothing: a child that loaded so many is replaced."""


def load_mutants(module: Path, runtime: str, seeds: range, hang_s: float = 20.0) -> Counter[str]:
    """Outcomes of all seeds; a child that dies or hangs costs its present seed only."""
    outcomes: Counter[str] = Counter()
    waiting = list(seeds)
    while waiting:
        done, fate = _batch(module, runtime, waiting[:BATCH], hang_s)
        outcomes.update(done.values())
        waiting = [seed for seed in waiting if seed not in done]
        if fate is not None and waiting:
            outcomes[fate] += 1
            waiting = waiting[1:]
    return outcomes


def _batch(
    module: Path, runtime: str, seeds: list[int], hang_s: float
) -> tuple[dict[int, str], str | None]:
    command = [sys.executable, "-m", "tests.support.loading_child", str(module), runtime]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write("".join(f"{seed}\n" for seed in seeds))
        child.stdin.close()
        done: dict[int, str] = {}
        hung = threading.Event()

        def end() -> None:
            hung.set()
            child.kill()

        timer = threading.Timer(hang_s, end)
        timer.start()
        for line in child.stdout:
            seed, what = line.split()
            if what == "begun":
                timer.cancel()
                timer = threading.Timer(hang_s, end)
                timer.start()
            else:
                done[int(seed)] = what
        timer.cancel()
        code = child.wait()
    if hung.is_set():
        return done, "ended by the clock"
    return done, None if code == 0 else f"died with {code}"
