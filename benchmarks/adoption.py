"""How long a pipeline gives no answer while it changes its model: between two inputs, or restarted.

Both in this run, with the person model of MLPerf Tiny under each runtime, from a replay without a
rate: the gap is the time from the last answer before the change to the first one after it. For a
restart the child is told to stop, and its follower is started when it is gone, as the supervisor
does.
"""

import json
import select
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from agent.adapters.child_process import ChildProcess
from agent.channel.messages import Adopt, Adopted, Answer, FromChild, Start, Stop
from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.convert.convert import Choices, to_module, to_plan

MODEL = Path(__file__).parents[2] / "shared" / "models" / "vww_96_int8.tflite"
FRAMES = 64
ROUNDS = 9
STEADY = 10


class Pipeline:
    """A pipeline's child, and when it answered."""

    def __init__(self, folder: Path, model: Path, runtime: str) -> None:
        tree = {
            "model": str(model),
            "runtime": runtime,
            "source": {"kind": "replay", "path": str(folder / "frames.npy"), "loop": True},
            "preprocess": {"kind": "image"},
            "postprocess": {"kind": "classify"},
            "learning": {"jobs": ["any"]},
        }
        words = [str(folder / name) for name in ("cache", "bridge.sock", "models")]
        self._child = ChildProcess(
            lambda descriptor: ["-m", "agent.pipeline.app", str(descriptor), *words],
            Start("start", "bench", tree),
        )
        self.said: list[FromChild] = []

    def listen(self, answers: int) -> None:
        """Hear so many answers more."""
        while answers > 0:
            select.select([self._child], [], [], 5.0)
            heard = self._child.receive()
            assert not self._child.closed, heard
            self.said += heard
            answers -= sum(isinstance(one, Answer) for one in heard)

    def adopt(self, model: Path) -> None:
        """Have it go over, and hear that it has."""
        self._child.send(Adopt("adopt", "1", str(model)))
        while not any(isinstance(one, Adopted) for one in self.said):
            self.listen(1)

    def stop(self) -> None:
        """Tell it to end, hear the rest, and wait until it is gone."""
        self._child.send(Stop("stop"))
        while self._child.ended() is None:
            select.select([self._child], [], [], 0.01)
            if not self._child.closed:
                self.said += self._child.receive()
        self._child.release()


def ready_ns(answer: Answer) -> int:
    """When an answer was there."""
    return answer.monotonic_ns + 1000 * answer.latency.total_us


def gap_ms(said: list[FromChild]) -> float:
    """From the last answer before the change to the first after it."""
    at = next(place for place, one in enumerate(said) if isinstance(one, Adopted))
    before = [one for one in said[:at] if isinstance(one, Answer)]
    after = [one for one in said[at:] if isinstance(one, Answer)]
    return (ready_ns(after[0]) - ready_ns(before[-1])) / 1e6


def measure(folder: Path, runtime: str, model: Path) -> dict[str, Any]:
    """Change the model of one runtime in both ways."""
    changed, restarted, steady = [], [], []
    pipeline = Pipeline(folder, model, runtime)
    pipeline.listen(STEADY)
    for _ in range(ROUNDS):
        pipeline.said.clear()
        pipeline.listen(STEADY)
        times = [ready_ns(one) for one in pipeline.said if isinstance(one, Answer)]
        steady.append(float(np.median(np.diff(times))) / 1e6)
        pipeline.adopt(model)
        pipeline.listen(STEADY)
        changed.append(gap_ms(pipeline.said))
    for _ in range(ROUNDS):
        pipeline.stop()
        last = [one for one in pipeline.said if isinstance(one, Answer)][-1]
        pipeline = Pipeline(folder, model, runtime)
        pipeline.listen(STEADY)
        first = next(one for one in pipeline.said if isinstance(one, Answer))
        restarted.append((ready_ns(first) - ready_ns(last)) / 1e6)
    pipeline.stop()
    found = {"steady_ms": steady, "changed_ms": changed, "restarted_ms": restarted}
    return {"runtime": runtime} | {
        name: round(statistics.median(values), 2) for name, values in found.items()
    }


def main() -> None:
    """Print one object for each runtime."""
    if not MODEL.exists():
        sys.exit(f"{MODEL}: the person model of MLPerf Tiny is needed")
    tflite = MODEL.read_bytes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "models").mkdir()
        chance = np.random.default_rng(1)
        frames = chance.integers(0, 256, (FRAMES, 96, 96, 3)).astype(np.uint8)
        np.save(folder / "frames.npy", frames)
        for runtime, target in (("tflite", None), ("wasmtime", "simd"), ("wasm3", "scalar")):
            path = folder / "models" / f"{runtime}.{'tflite' if target is None else 'wasm'}"
            if target is None:
                path.write_bytes(tflite)
            else:
                choices = Choices(target=target)
                plan = to_plan(tflite, choices)
                path.write_bytes(to_module(plan, load(target), "person", choices))
            print(json.dumps(measure(folder, runtime, path)), flush=True)
            print(f"{runtime} done", file=sys.stderr)


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
