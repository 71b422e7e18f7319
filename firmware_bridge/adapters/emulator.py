"""The tested board in QEMU, with its serial port on a pty."""

import os
import re
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType

from firmware_bridge.errors import PortError

PROGRAM = "qemu-system-arm"
BOARD = "mps2-an386"
START_S = 10.0
INSTRUCTION_SHIFT = 7
"""With `counts_instructions`, one instruction takes 2^7 ns of the board's time: 3.2 ticks, so that
a count is exact to the instruction."""
TICK_NS = 40
_PTY = re.compile(rb"/dev/pts/\d+")


def is_available() -> bool:
    """Whether QEMU is installed."""
    return shutil.which(PROGRAM) is not None


def instructions(ticks: int) -> int:
    """Instructions of one operator, from the ticks of a board that counts them."""
    return round(ticks * TICK_NS / (1 << INSTRUCTION_SHIFT))


class Emulator:
    """A running board.

    Args:
        counts_instructions: time is made of instructions: exact counts, no watch on the wall.

    Attributes:
        port: the pty to open.

    Raises:
        PortError: QEMU is not installed or does not start.
    """

    def __init__(self, image: Path, *, counts_instructions: bool = False) -> None:
        words = [PROGRAM, "-M", BOARD, "-kernel", str(image), "-nographic", "-monitor", "none"]
        if counts_instructions:
            words += ["-icount", f"shift={INSTRUCTION_SHIFT}"]
        try:
            self._process = subprocess.Popen(
                [*words, "-serial", "pty"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except FileNotFoundError:
            raise PortError(f"{PROGRAM} is not installed; apt install qemu-system-arm") from None
        # Its threads wake each other for every byte: on one core that costs a third. Which core
        # depends on the process, so that several boards do not starve each other on one.
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(self.pid, {cores[self.pid % len(cores)]})
        try:
            self.port = self._find_port()
        except PortError:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of QEMU."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def _find_port(self) -> str:
        assert self._process.stdout
        said, end = b"", time.monotonic() + START_S
        while time.monotonic() < end:
            if select.select([self._process.stdout], [], [], 0.1)[0]:
                more = self._process.stdout.read1(4096)  # type: ignore[attr-defined]
                said += more
                if found := _PTY.search(said):
                    return found[0].decode()
                if not more:
                    break
        told = said.decode(errors="replace").strip().splitlines() or ["no message"]
        raise PortError(f"{PROGRAM} does not start: {told[-1]}")

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Switch the board off."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
