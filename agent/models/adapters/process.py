"""The main process's end of an installer: started, looked at now and then, ended if need be."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from agent.models.request import Asked, Report, Request
from broker.contract.shape import parse, to_tree

MAX_ANSWER_BYTES = 1 << 16
_ROOT = str(Path(__file__).resolve().parents[3])
_COMMAND = (sys.executable, "-P", "-m", "agent.models.installer.app")


class InstallerProcess:
    """One installer, in a process group of its own; nothing here waits."""

    def __init__(self, request: Request) -> None:
        """Start it; `request.deadline_s` counts from now.

        Raises:
            OSError: no process can be started.
        """
        self._what = request.kind
        self._ends = time.monotonic() + request.deadline_s
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        with tempfile.TemporaryFile() as words:
            words.write(json.dumps(to_tree(Asked(request))).encode())
            words.seek(0)
            self._process = subprocess.Popen(
                _COMMAND,
                stdin=words,
                stdout=self._said,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": _ROOT, "OPENBLAS_NUM_THREADS": "1"},
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def poll(self) -> Report | None:
        """Return its report once it has ended, however; None while it runs."""
        code = self._process.poll()
        if code is None and time.monotonic() < self._ends:
            return None
        if code is None:
            self.close()
            return Report(f"{self._what}: the installer was not done in time", is_final=True)
        self._said.seek(0)
        said = self._said.read(MAX_ANSWER_BYTES)
        self.close()
        try:
            report = parse(Report, json.loads(said))
        except (ValueError, RecursionError):
            return self._dead(code)
        return self._dead(code) if isinstance(report, list) else report

    def close(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._said.close()

    def _dead(self, code: int) -> Report:
        """A model that ends the process in which it is tried would end a pipeline's."""
        how = f"with {signal.Signals(-code).name}" if code < 0 else "without a word"
        return Report(f"{self._what}: the installer died {how}", is_final=self._what == "golden")
