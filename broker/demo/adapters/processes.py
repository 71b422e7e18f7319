"""`selvedge` commands of the demo as processes of their own; all of them end with us."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from broker.adapters.engine_process import setpriv
from broker.errors import UnavailableError

STOP_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 60.0


class Process:
    """One command that runs until it is asked to stop; what it says goes to a file."""

    def __init__(self, name: str, words: Sequence[str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*setpriv(None, "--pdeathsig", "TERM"), sys.executable, "-m", "selvedge", *words],
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
            raise UnavailableError(f"{self.name} ended: {self._last_line()}")

    def finish(self) -> None:
        """Wait for the end of a command that ends by itself.

        Raises:
            UnavailableError: it did not, or it failed; with the last line that it said.
        """
        try:
            code = self._process.wait(COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code != 0:
            raise UnavailableError(f"{self.name} failed: {self._last_line()}")

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

    def _last_line(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "?"


def agent(device: str, broker_url: str, prefix: str, folder: Path, config: Path) -> Process:
    """The agent of a device."""
    words = ["agent", "--config", str(config), "--device", device, "--broker", broker_url]
    words += ["--set", f"broker.prefix={prefix}"]
    return Process(device, [*words, "--state", str(folder / device)], folder)


def aggregator(broker_url: str, prefix: str, folder: Path) -> Process:
    """The aggregator."""
    words = ["aggregator", "--broker", broker_url, "--prefix", prefix]
    return Process("aggregator", [*words, "--state", str(folder / "aggregator")], folder)


def importing(device: str, pipeline: str, samples: Path, folder: Path, config: Path) -> Process:
    """Labelled samples into the store of a device; finish it before its agent starts."""
    words = ["samples", "import", pipeline, str(samples), "--config", str(config)]
    words += ["--state", str(folder / device), "--scale", repr(1 / 255)]
    return Process(f"import-{device}", words, folder)


def starting(job: Path, calibration: Path, broker_url: str, prefix: str, folder: Path) -> Process:
    """Start a federated job."""
    words = ["fl", "start", str(job), "--broker", broker_url, "--prefix", prefix]
    return Process("start", [*words, "--calibration", str(calibration)], folder)
