"""A runtime's process: started with a model, asked for blocks of timed runs, ended."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.peers.install import MissingError

ROOT = Path(__file__).parents[2]


class Running:
    """One process that speaks the protocol of `worker.py`, with all times that it gave."""

    def __init__(self, command: list[str]) -> None:
        """Start it and wait until it has loaded its model and answered once.

        Raises:
            MissingError: it ended instead; the text is its last line.
        """
        # A second thread would make the runtimes incomparable.
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.runs: list[list[float]] = []
        self.told = self._answer()

    def ask(self, for_ms: float) -> list[list[float]]:
        """Let it run; milliseconds of copy in, compute and copy out of each run."""
        assert self._process.stdin
        self._process.stdin.write(f"{for_ms}\n")
        self._process.stdin.flush()
        runs: list[list[float]] = self._answer()
        return runs

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> Any:
        assert self._process.stdout
        assert self._process.stderr
        while line := self._process.stdout.readline():
            if line[0] in "[{":  # libraries print what they like
                return json.loads(line)
        lines = self._process.stderr.read().strip().splitlines() or ["it ended without a word"]
        errors = [one for one in lines if "Error" in one] or lines
        self.end()
        raise MissingError(errors[-1][:300])
