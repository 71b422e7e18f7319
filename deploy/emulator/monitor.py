"""QEMU's monitor: commands to the machine itself (QMP, JSON by lines)."""

import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.emulator.errors import EmulatorError

CONNECT_S = 60.0
ANSWER_S = 120.0


class Monitor:
    """A connection to the monitor of one QEMU.

    Raises:
        EmulatorError: nobody listens there.
    """

    def __init__(self, path: Path) -> None:
        self._socket = connected(path, CONNECT_S)
        self._socket.settimeout(ANSWER_S)
        self._lines = self._socket.makefile("rb")
        self._lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Give a command and return its answer.

        Raises:
            EmulatorError: it is refused, or QEMU is gone.
        """
        words = {"execute": command, "arguments": dict(arguments or {})}
        try:
            self._socket.sendall(json.dumps(words).encode() + b"\n")
            while line := self._lines.readline():
                told = json.loads(line)
                if "return" in told:
                    return told["return"]
                if "error" in told:
                    raise EmulatorError(f"QEMU refuses {command}: {told['error']['desc']}")
        except OSError as error:
            raise EmulatorError(f"QEMU does not answer {command}: {error}") from None
        raise EmulatorError(f"QEMU ended at {command}")

    def say(self, line: str) -> None:
        """Give a command that only the monitor for people knows.

        Raises:
            EmulatorError: it complains.
        """
        told = self.ask("human-monitor-command", {"command-line": line})
        if told.strip():
            raise EmulatorError(f"QEMU on {line!r}: {told.strip()}")

    def close(self) -> None:
        """Leave it."""
        self._lines.close()
        self._socket.close()


def connected(path: Path, timeout_s: float) -> socket.socket:
    """A connection to a Unix socket that may not be there yet.

    Raises:
        EmulatorError: it does not come in time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(str(path))
        except OSError as error:
            line.close()
            if time.monotonic() > deadline:
                raise EmulatorError(f"nobody listens at {path}: {error}") from None
            time.sleep(0.02)
        else:
            return line
