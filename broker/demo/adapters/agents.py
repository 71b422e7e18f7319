"""Agents of the demo as processes of their own."""

import subprocess
import sys
from pathlib import Path

from broker.adapters.engine_process import setpriv
from broker.errors import UnavailableError

STOP_TIMEOUT_S = 10.0


class AgentProcess:
    """One `selvedge agent`; it ends with us."""

    def __init__(self, device: str, broker_url: str, folder: Path, config: Path) -> None:
        self.device = device
        self.log = folder / f"{device}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *setpriv(None, "--pdeathsig", "TERM"),
                    *(sys.executable, "-m", "selvedge", "agent"),
                    *("--config", str(config), "--device", device, "--broker", broker_url),
                    *("--state", str(folder / device)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def check(self) -> None:
        """Make sure that it runs.

        Raises:
            UnavailableError: it ended; with the last line that it said.
        """
        if self._process.poll() is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise UnavailableError(f"agent {self.device} ended: {lines[-1] if lines else '?'}")

    def ask_to_stop(self) -> None:
        """Ask it to end in good order."""
        self._process.terminate()

    def wait(self) -> None:
        """Wait for its end, and force it after a while."""
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
