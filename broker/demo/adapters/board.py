"""An emulated microcontroller for the demo: `selvedge mcu emulate` as a process of its own."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from broker.adapters.engine_process import setpriv
from broker.demo.adapters.wasm_model import plan_of
from broker.demo.recipe import Board
from broker.errors import UnavailableError
from toolchain.errors import ToolchainError

START_S = 90.0
"""The first time, its firmware is built."""
STOP_S = 5.0


class EmulatedBoard:
    """A board that starts while others do their work."""

    def __init__(self) -> None:
        words = [*setpriv(None, "--pdeathsig", "TERM"), sys.executable, "-m", "selvedge"]
        self._process = subprocess.Popen(
            [*words, "mcu", "emulate", "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def port(self) -> str:
        """Wait until it runs; return its serial port.

        Raises:
            UnavailableError: there is no emulator, or no firmware for it; the text says why.
        """
        assert self._process.stdout
        end = time.monotonic() + START_S
        said = b""
        while b"\n" not in said:
            left_s = end - time.monotonic()
            if left_s <= 0 or not select.select([self._process.stdout], [], [], left_s)[0]:
                raise UnavailableError(f"the emulated board did not start in {START_S:g} s")
            more = os.read(self._process.stdout.fileno(), 4096)
            if not more:
                break
            said += more
        try:
            tree = json.loads(said)
        except ValueError:
            raise UnavailableError("the emulated board ended without a word") from None
        if "port" not in tree:
            raise UnavailableError(str(tree.get("error", "the emulated board did not start")))
        return str(tree["port"])

    def with_plan(self, path: Path, model: bytes, say: Callable[[str, str], None]) -> Board | None:
        """Wait for the board and write its plan; None, and a word why, if there is none."""
        try:
            board = Board(self.port(), str(path))
            path.write_bytes(plan_of(model))
        except (ToolchainError, UnavailableError) as error:
            say("mcu", f"without a microcontroller: {error}")
            return None
        say("mcu", f"an emulated Cortex-M4 at {board.port} runs the same model, too")
        return board

    def stop(self) -> None:
        """Switch it off."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
