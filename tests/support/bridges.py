"""The bridge as a process, and what programs see of it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.adapters.bridge_client import BridgeClient
from firmware_bridge.bridge.jobs import Verdict
from firmware_bridge.bridge.protocol import Told
from firmware_bridge.bridge.variants import Offer
from tests.support.boards import plan_of
from tests.support.engine import MODELS, Micro, edge_inputs
from toolchain.plan.numbers import Target

PATIENCE_S = 60.0


@cache
def small_model() -> bytes:
    """The smallest of the four: 640 values in and out."""
    return (MODELS / "ad01_int8.tflite").read_bytes()


class Asker:
    """A program that knows what the answers must be."""

    def __init__(self, path: Path, model: bytes | None = None) -> None:
        self.client = BridgeClient(path)
        common, _ = plan_of(model or small_model(), Target.PORTABLE)
        special, _ = plan_of(model or small_model(), Target.CORTEX_M)
        self.offer = Offer.of(common, {Target.CORTEX_M: special})
        self._micro = Micro(model or small_model())
        self._inputs = edge_inputs((1, 640), np.random.default_rng(6), 20)
        self._wanted = [self._micro.run([one])[0].tobytes() for one in self._inputs]
        self._next = 0

    def ask(self, deadline_ms: int = 1000) -> Told:
        """An inference; a wrong answer fails the test."""
        number = self._next = (self._next + 1) % len(self._inputs)
        wanted, values = self._wanted[number], self._inputs[number].tobytes()
        told = self.client.infer(self.offer, values, len(wanted), deadline_ms)
        if told.verdict is Verdict.OK:
            assert told.outputs == wanted
        return told

    def until(self, condition: Callable[[Told], bool], timeout_s: float = PATIENCE_S) -> Told:
        """Ask until the answer is of a kind."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            if condition(told := self.ask()):
                return told
            time.sleep(0.02)
        raise AssertionError(f"at last: {told.verdict.name}; {self.status()}")

    def until_served(self, timeout_s: float = PATIENCE_S) -> Told:
        return self.until(lambda told: told.verdict is Verdict.OK, timeout_s)

    def status(self) -> dict[str, Any]:
        return json.loads(self.client.status())


@contextmanager
def bridge(folder: Path, **places: dict[str, Any]) -> Iterator[Path]:
    """A bridge with these devices; gives the path of its socket."""
    path = folder / "bridge.sock"
    settings = {"socket": str(path), "mcus": places}
    process = subprocess.Popen([sys.executable, "-m", "firmware_bridge.app", json.dumps(settings)])
    try:
        end_s = time.monotonic() + PATIENCE_S
        while not path.exists() and time.monotonic() < end_s:
            time.sleep(0.02)
        yield path
        assert process.poll() is None, "the bridge ended"
    finally:
        process.kill()
        process.wait()
