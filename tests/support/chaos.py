"""Lines to boards and fake devices that can be cut, and a pipeline whose answers are known."""

import os
import pty
import select
import socket
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from agent.config.device import PipelineConfig
from agent.pipeline.postprocess import build_postprocessor
from agent.runtime.adapters.host import HostModel
from agent.runtime.plan_file import read_plan
from broker.contract.messages import Result
from broker.contract.shape import parse
from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.emulator import BOARD, PROGRAM
from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.calls.methods import Method
from tests.support.boards import image, plan_of
from tests.support.model_device import ModelDevice
from toolchain.plan.numbers import Target

POLL_S = 0.002


class Line:
    """A pty under a lasting name, whose other end a thread of the test holds."""

    def __init__(self, name: Path) -> None:
        self.name = name
        self.is_in = False
        self.plug()

    def plug(self) -> None:
        self.ours, terminal = pty.openpty()
        tty.setraw(self.ours)
        tty.setraw(terminal)
        os.set_blocking(self.ours, False)
        self._terminal = terminal
        self.name.symlink_to(os.ttyname(terminal))
        self.is_in = True

    def pull(self) -> None:
        """Close the tty, whatever is under way."""
        self.is_in = False
        self.name.unlink()
        os.close(self._terminal)
        os.close(self.ours)

    def read(self) -> bytes:
        try:
            return os.read(self.ours, 4096)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        with suppress(OSError):
            while data:
                data = data[os.write(self.ours, data) :]


class Carrier:
    """A thread that turns until it is closed; `hold` makes it stand still."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends.is_set():
            with self.lock:
                self.turn()
            time.sleep(POLL_S)

    def turn(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._ends.set()
        self._thread.join()


class Board(Carrier):
    """The emulated board, with a monitor, behind a line."""

    def __init__(self, folder: Path) -> None:
        self.line = Line(folder / "ttyACM0")
        self._folder = folder
        self.power_on()
        super().__init__()

    def power_on(self) -> None:
        monitor, serial = (self._folder / name for name in ("monitor", "serial"))
        words = [PROGRAM, "-M", BOARD, "-kernel", str(image(crashes=True)), "-display", "none"]
        words += ["-monitor", f"unix:{monitor},server=on,wait=off"]
        words += ["-serial", f"unix:{serial},server=on,wait=off"]
        for path in (monitor, serial):
            path.unlink(missing_ok=True)
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        self._serial = _connected(serial)
        self._serial.setblocking(False)
        self._monitor = monitor
        self._is_on = True

    def turn(self) -> None:
        if not self.line.is_in or not self._is_on:
            return
        with suppress(OSError):
            self.line.write(self._serial.recv(4096))
        data = self.line.read()
        with suppress(OSError):
            while data:
                select.select([], [self._serial], [], 0.5)
                data = data[self._serial.send(data) :]

    def power_off(self) -> None:
        with self.lock:
            self._is_on = False
            self.process.kill()
            self.process.wait()
            self._serial.close()

    def reset(self) -> None:
        with _connected(self._monitor) as monitor:
            monitor.sendall(b"system_reset\n")
            time.sleep(0.1)

    def crash(self) -> None:
        """Take the line over for a call that makes the firmware do what no firmware survives."""
        with self.lock:
            side = Line(self._folder / "side")
            done = threading.Event()

            def carry() -> None:
                while not done.is_set():
                    with suppress(OSError):
                        side.write(self._serial.recv(4096))
                    if data := side.read():
                        self._serial.sendall(data)
                    time.sleep(POLL_S)

            thread = threading.Thread(target=carry)
            thread.start()
            with Attached(SerialPort(str(side.name))) as attached, suppress(Exception):
                attached.connect()
                attached.call(Method.FAULT, b"\x02", timeout_s=0.3)
            done.set()
            thread.join()
            side.pull()

    def close(self) -> None:
        super().close()
        self.process.kill()
        self.process.wait()
        self._serial.close()
        self.line.pull()


class Fake(Carrier):
    """A device in Python behind a line, which may break the protocol; `manner` says how."""

    def __init__(self, folder: Path, compute: Callable[[bytes, bytes], bytes]) -> None:
        self.line = Line(folder / "ttyUSB0")
        self.device = ModelDevice(compute=compute)
        super().__init__()

    def turn(self) -> None:
        now_ms = time.monotonic_ns() // 1_000_000
        if data := self.line.read():
            self.device.receive(data, now_ms)
        self.line.write(self.device.poll(now_ms))

    def behave(self, manner: str, *, anew: bool = False) -> None:
        with self.lock:
            self.device.manner = manner
            if anew:
                self.device.restart(time.monotonic_ns() // 1_000_000)

    def close(self) -> None:
        super().close()
        self.line.pull()


class Truth:
    """What a pipeline must answer for each input, by the host's engine."""

    def __init__(self, pipeline: dict[str, Any], model: bytes, images: np.ndarray) -> None:
        from agent.pipeline.preprocess import build_preprocessor
        from agent.pipeline.sample import Sample

        config = parse(PipelineConfig, pipeline)
        assert isinstance(config, PipelineConfig), config
        plan, _ = plan_of(model, Target.PORTABLE)
        engine = HostModel(read_plan(plan))
        before = build_preprocessor(config.preprocess, engine.inputs[0])
        after = build_postprocessor(config.postprocess, engine.outputs, engine.inputs[0])
        self._wanted: list[Any] = []
        self.outputs: dict[bytes, bytes] = {}
        for image_ in images:
            assert before.push(Sample(image_, 0)) == 1
            before.fill(engine.input_view(0))
            inputs = engine.input_view(0).tobytes()
            engine.invoke()
            self.outputs[inputs] = engine.output_view(0).tobytes()
            self._wanted.append(after.result([engine.output_view(0)], None))

    def compute(self, _: bytes, inputs: bytes) -> bytes:
        """What a good device answers."""
        return self.outputs[inputs]

    def is_right(self, result: Result) -> bool:
        assert result.input is not None
        number = int(result.input.rpartition("[")[2][:-1])
        return bool(result.outputs == self._wanted[number])


def gaps_ms(results: list[Result]) -> list[int]:
    """Times between one answer being ready and the next."""
    ready = [one.monotonic_ms + one.latency.total_us // 1000 for one in results]
    return [after - before for before, after in pairwise(ready)]


@contextmanager
def closing(*things: Any) -> Iterator[None]:
    try:
        yield
    finally:
        for thing in things:
            thing.close()


def _connected(path: Path) -> socket.socket:
    for _ in range(500):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            time.sleep(0.01)
        else:
            return connection
    raise AssertionError(f"nobody listens at {path}")
