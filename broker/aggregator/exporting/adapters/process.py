"""A release on its way: a child process that is looked at now and then, and can be ended."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from broker.aggregator.exporting.question import ANSWER, MODEL, QUESTION, Answer, Question
from broker.aggregator.job.releasing import Made, Order
from broker.contract.blobs import blob_ref
from broker.contract.codec import decode_json, encode_json
from broker.contract.errors import ContractError
from broker.contract.shape import parse, to_tree

DEADLINE_S = 900.0
MAX_COMPLAINT_BYTES = 2_000
PREFIX = "export-"
_ROOT = str(Path(__file__).resolve().parents[4])


@dataclass(frozen=True)
class Crash:
    """The child is gone without an answer."""

    reason: str


class ExportProcess:
    """One child; nothing here waits."""

    def __init__(self, order: Order, state: Path) -> None:
        """Start it on a folder of its own below `state`, which goes when it is closed.

        Raises:
            OSError: the folder cannot be written, or no process be started.
        """
        self.number = order.number
        self._ends = time.monotonic() + DEADLINE_S
        self._folder = state / f"{PREFIX}{order.spec.id}"
        shutil.rmtree(self._folder, ignore_errors=True)
        question = Question(order.spec, order.number, order.record, order.privacy)
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self._folder.mkdir()
            (self._folder / QUESTION).write_bytes(encode_json(to_tree(question)))
            (self._folder / MODEL).write_bytes(order.model)
            for ref, data in order.files.items():
                (self._folder / ref.sha256).write_bytes(data)
            self._complaints = undo.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "broker.aggregator.exporting.app", str(self._folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
                env=os.environ | {"PYTHONPATH": _ROOT, "OPENBLAS_NUM_THREADS": "1"},
                process_group=0,
            )
            self._held = undo.pop_all()

    @staticmethod
    def sweep(state: Path) -> None:
        """Drop what a crash left behind: an operator's calibration among it."""
        for folder in state.glob(f"{PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def poll(self) -> Made | str | Crash | None:
        """The release, or why there is none; None while it is being made."""
        code = self._process.poll()
        if code is None:
            if time.monotonic() < self._ends:
                return None
            self.close()
            return f"it was not made within {DEADLINE_S:g} s"
        if code:
            why = self._why(code)
            self.close()
            return Crash(why)
        try:
            return self._read()
        except (OSError, ContractError) as error:
            return f"what was made cannot be read: {error}"
        finally:
            self.close()

    def close(self) -> None:
        """End it, and drop its files."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._held.close()

    def _read(self) -> Made | str:
        answer = parse(Answer, decode_json((self._folder / ANSWER).read_bytes()))
        if not isinstance(answer, Answer) or (answer.manifest is None and answer.refused is None):
            return "what was made cannot be read"
        if answer.manifest is None:
            return str(answer.refused)
        blobs = {ref: (self._folder / ref.sha256).read_bytes() for ref in answer.blobs}
        if any(blob_ref(data) != ref for ref, data in blobs.items()):
            return "a file that was made is damaged"
        return Made(answer.manifest, blobs)

    def _why(self, code: int) -> str:
        if code < 0:
            return f"its making was ended by {signal.Signals(-code).name}"
        self._complaints.seek(0)
        said = self._complaints.read(MAX_COMPLAINT_BYTES).decode(errors="replace")
        return f"its making failed: {(said.strip().splitlines() or ['without a word'])[-1][:300]}"
