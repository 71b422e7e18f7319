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

from firmware_bridge.firmware.build import build
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
