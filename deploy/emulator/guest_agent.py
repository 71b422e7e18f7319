"""Programs and files inside the emulated machine, through QEMU's guest agent (a Debian package)."""

import base64
import json
import secrets
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.emulator.errors import EmulatorError
from deploy.emulator.monitor import connected

POLL_S = 0.05
ANSWER_S = 30.0
PIECE_BYTES = 48 * 1024
"""Of a file, in one message: the agent's limit is larger, the line's buffers are not."""


class GuestAgent:
    """Its line; the guest may be late, or die and come back."""

    def __init__(self, path: Path) -> None:
        self._socket = connected(path, ANSWER_S)
        self._rest = b""

    def wait(self, timeout_s: float) -> None:
        """Return when the guest's agent answers.

        Raises:
            EmulatorError: it does not in time.
        """
        deadline = time.monotonic() + timeout_s
        pause_s = 0.5
        while time.monotonic() < deadline:
            # What nobody reads yet stays in the line, which holds a hundred or two of these.
            pause_s = min(8.0, pause_s * 1.3)
            number = secrets.randbits(31)
            # 0xFF ends whatever half a message the other side may still hold, and comes back.
            self._send(b"\xff" + _words("guest-sync-delimited", {"id": number}))
            try:
                while self._receive(pause_s).get("return") != number:
                    pass
            except TimeoutError:
                continue
            return
        raise EmulatorError(f"the guest's agent is silent after {timeout_s:g} s")

    def ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        """Give a command and return its answer.

        Raises:
            EmulatorError: it is refused or not answered.
        """
        self._send(_words(command, arguments))
        try:
            told = self._receive(ANSWER_S)
        except TimeoutError:
            raise EmulatorError(f"the guest does not answer {command}") from None
        if "error" in told:
            raise EmulatorError(f"the guest refuses {command}: {told['error']['desc']}")
        return told["return"]

    def tell(self, command: str, arguments: Mapping[str, Any]) -> None:
        """Give a command that is not answered, such as one that ends the machine."""
        self._send(_words(command, arguments))

    def run(self, *command: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a program as root.

        Raises:
            EmulatorError: it cannot be started, or does not end in time.
        """
        wanted = {
            "path": command[0],
            "arg": command[1:],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"],
            "capture-output": True,
        }
        pid = self.ask("guest-exec", wanted)["pid"]
        deadline = time.monotonic() + timeout_s
        wait_s = POLL_S
        while time.monotonic() < deadline:
            told = self.ask("guest-exec-status", {"pid": pid})
            if told["exited"]:
                return subprocess.CompletedProcess(
                    command,
                    told.get("exitcode", -told.get("signal", 0)),
                    _text(told.get("out-data")),
                    _text(told.get("err-data")),
                )
            time.sleep(wait_s)
            wait_s = min(0.5, wait_s * 1.5)
        raise EmulatorError(f"{' '.join(command)[:80]} does not end in {timeout_s:g} s")

    def write(self, path: str, data: bytes) -> None:
        """Write a file.

        Raises:
            EmulatorError: it cannot be written.
        """
        handle = self.ask("guest-file-open", {"path": path, "mode": "w"})
        try:
            for start in range(0, len(data), PIECE_BYTES):
                piece = base64.b64encode(data[start : start + PIECE_BYTES]).decode()
                self.ask("guest-file-write", {"handle": handle, "buf-b64": piece})
        finally:
            self.ask("guest-file-close", {"handle": handle})

    def close(self) -> None:
        """Leave it."""
        self._socket.close()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(ANSWER_S)
            self._socket.sendall(data)
        except OSError as error:
            raise EmulatorError(f"the guest's line is broken: {error}") from None

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                return _parsed(line.rpartition(b"\xff")[2])
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise
            except OSError as error:
                raise EmulatorError(f"the guest's line is broken: {error}") from None
            if not data:
                raise EmulatorError("QEMU ended")
            self._rest += data


def _words(command: str, arguments: Mapping[str, Any]) -> bytes:
    return json.dumps({"execute": command, "arguments": dict(arguments)}).encode() + b"\n"


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _text(data: str | None) -> str:
    return base64.b64decode(data or "").decode(errors="replace")
