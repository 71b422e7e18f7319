"""The main process's end of a learner: it starts, is looked at now and then, and can be ended."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from agent.errors import ModelError
from agent.learning.learner.request import Report, Request
from broker.contract.shape import parse, to_tree

MAX_ANSWER_BYTES = 1 << 16
NICE = 10
_ROOT = str(Path(__file__).resolve().parents[4])
_COMMAND = (sys.executable, "-P", "-m", "agent.learning.learner.app")


class LearnerProcess:
    """One learner and all that it starts, in a process group of its own; nothing here waits."""

    def __init__(self, request: Request) -> None:
        """Start it; `request.deadline_s` counts from now.

        Raises:
            OSError: no process can be started.
        """
        self._deadline_s = request.deadline_s
        self._ends = time.monotonic() + request.deadline_s
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        with tempfile.TemporaryFile() as words:
            words.write(json.dumps(to_tree(request)).encode())
            words.seek(0)
            self._process = subprocess.Popen(
                [*_COMMAND, str(os.getpid())],
                stdin=words,
                stdout=self._said,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": _ROOT, "OPENBLAS_NUM_THREADS": "1"},
                process_group=0,
            )
        with suppress(OSError):  # pipelines come first
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICE)

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group."""
        return self._process.pid

    def poll(self) -> Report | None:
        """Return its report once it has ended well; None while it runs.

        Raises:
            ModelError: it failed, died, or is late; the text says why.
        """
        code = self._process.poll()
        if code is None and time.monotonic() < self._ends:
            return None
        if code is None:
            self.close()
            raise ModelError(f"the learner was not done within {self._deadline_s:g} s")
        return self._understand(code)

    def close(self) -> None:
        """End it, its trainer and its backbone at once."""
        if self._said.closed:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._said.close()

    def _understand(self, code: int) -> Report:
        self._said.seek(0)
        said = self._said.read(MAX_ANSWER_BYTES)
        self.close()
        try:
            tree = json.loads(said)
        except (ValueError, RecursionError):
            cause = f"with {signal.Signals(-code).name}" if code < 0 else "without a word"
            raise ModelError(f"the learner died {cause}") from None
        if isinstance(tree, dict) and "error" in tree:
            raise ModelError(str(tree["error"])[:400])
        report = parse(Report, tree)
        if isinstance(report, list):
            raise ModelError(f"report of the learner refused: {report[0]}")
        return report  # type: ignore[no-any-return]
