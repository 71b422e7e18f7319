"""A child that is told one document, says one, and ends: started, looked at, ended if need be."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_ANSWER_BYTES = 1 << 16
_ROOT = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True)
class Ended:
    """How it ended.

    Attributes:
        tree: what it said; None where that is no JSON.
        how: `late`, or in words for whoever reads that it died.
    """

    tree: Any
    how: str

    @property
    def is_late(self) -> bool:
        """Whether it had to be ended."""
        return self.how == "late"


class Errand:
    """One child and all that it starts, in a process group of its own; nothing here waits.

    The module's program says `be_an_errand` first, and `answer`s.
    """

    def __init__(self, module: str, document: Any, deadline_s: float) -> None:
        """Start it; `deadline_s` counts from now.

        Raises:
            OSError: no process can be started.
        """
        self._ends = time.monotonic() + deadline_s
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        with tempfile.TemporaryFile() as told:
            told.write(json.dumps(document).encode())
            told.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(os.getpid())],
                stdin=told,
                stdout=self._said,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": _ROOT, "OPENBLAS_NUM_THREADS": "1"},
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group."""
        return self._process.pid

    def poll(self) -> Ended | None:
        """Return how it ended, once; None while it runs and has time."""
        code = self._process.poll()
        if code is None:
            if time.monotonic() < self._ends:
                return None
            self.close()
            return Ended(None, "late")
        self._said.seek(0)
        said = self._said.read(MAX_ANSWER_BYTES)
        self.close()
        try:
            tree = json.loads(said)
        except (ValueError, RecursionError):
            tree = None
        return Ended(tree, f"with {signal.Signals(-code).name}" if code < 0 else "without a word")

    def close(self) -> None:
        """End it and what it started at once."""
        if self._said.closed:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._said.close()
