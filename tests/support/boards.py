"""Devices for tests: the tested board in QEMU, and the same firmware as a process on a pty."""

import hashlib
import os
import pty
import subprocess
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from firmware_bridge.adapters.attached import Attached
from firmware_bridge.calls.methods import Method, pack_infer, unpack_outputs
from firmware_bridge.firmware.build import build
from tests.support.engine import MODELS, Micro, edge_inputs, engine_of
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Target
from toolchain.tflite.reader import read


@cache
def image(board: str = "mps2-an386", *, crashes: bool = False, counting: bool = False) -> Path:
    return build(board, crashes=crashes, counting=counting)


def plan_of(model: bytes, target: Target) -> tuple[bytes, bytes]:
    """A plan and its sha256."""
    plan = encode(lower(read(model), Settings(target=target)))
    return plan, hashlib.sha256(plan).digest()


def compare_on_board(device: Attached, name: str, count: int, rng: np.random.Generator) -> int:
    """Ask a device, the host's engine and TFLite Micro; returns how many inputs were alike."""
    model = (MODELS / f"{name}.tflite").read_bytes()
    plan, sha256 = plan_of(model, Target.CORTEX_M)
    device.upload(plan, sha256)
    micro, engine, graph = Micro(model), engine_of(model), read(model).main
    inputs = edge_inputs(graph.tensors[graph.inputs[0]].shape, rng, count)
    for number, values in enumerate(inputs):
        body = device.call(Method.INFER, pack_infer(sha256, values.tobytes()))
        answers = {
            "board": unpack_outputs(body)[1],
            "host": engine.run([values])[0].tobytes(),
            "tflite-micro": micro.run([values])[0].tobytes(),
        }
        assert len(set(answers.values())) == 1, f"input {number}: {answers}"
    return len(inputs)


class Process:
    """The firmware as a process behind a pty, under sanitizers."""

    def __init__(self) -> None:
        self._controller, terminal = pty.openpty()
        tty.setraw(self._controller)
        tty.setraw(terminal)
        self.port = os.ttyname(terminal)
        self._held = terminal
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [image("posix")], stdin=self._controller, stdout=self._controller
        )

    def restart(self) -> None:
        """Pull the power and give it back."""
        self.process.kill()
        self.process.wait()
        self._start()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._controller)
        os.close(self._held)


@contextmanager
def firmware_process() -> Iterator[Process]:
    process = Process()
    try:
        yield process
    finally:
        process.close()
