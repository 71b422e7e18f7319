"""A question to a child process that runs foreign native code: it may crash, hang or lie.

Both ends speak one JSON object each way. Parent: `ask`. Child: `answer`, from its `app.py`.
"""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.errors import AgentError, ConfigError, ModelError, SourceError, UnavailableError

Tree = dict[str, Any]

MAX_ANSWER_BYTES = 1 << 20
_ROOT = str(Path(__file__).resolve().parents[3])
_ERRORS = {kind.__name__: kind for kind in (ConfigError, ModelError, SourceError, UnavailableError)}


def ask(module: str, question: Tree, deadline_s: float) -> Tree:
    """Run `python -m module` on `question` and return its answer.

    Raises:
        ModelError: the child died, hung until the deadline, or answered something else than JSON.
        AgentError: what the child raised.
    """
    with tempfile.TemporaryFile() as words, tempfile.TemporaryFile() as complaints:
        words.write(json.dumps({**question, "deadline_s": deadline_s}).encode())
        words.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=words,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=os.environ | {"PYTHONPATH": _ROOT},
        )
        late = threading.Event()

        def give_up() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(deadline_s, give_up)
        timer.start()
        try:
            said = _listen(child)
        finally:
            timer.cancel()
            child.kill()
            child.wait()
        if late.is_set():
            raise ModelError(f"the runtime gave no answer on {_name(question)} in {deadline_s:g} s")
        return _understand(said, child.returncode, question, _last_line(complaints.fileno()))


def _listen(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout
    with child.stdout as stdout:
        said = stdout.read(MAX_ANSWER_BYTES + 1)
    if len(said) <= MAX_ANSWER_BYTES:
        child.wait()
    return said


def _understand(said: bytes, returncode: int, question: Tree, last_line: str) -> Tree:
    try:
        tree = json.loads(said)
        error = tree.get("error")
    except (ValueError, AttributeError, RecursionError):
        cause = f"with {signal.Signals(-returncode).name}" if returncode < 0 else "without a word"
        tail = f" ({last_line})" if last_line else ""
        raise ModelError(f"the runtime died {cause} on {_name(question)}{tail}") from None
    if error is not None:
        raise _ERRORS.get(str(tree.get("kind")), ModelError)(str(error)[:1000])
    return tree  # type: ignore[no-any-return]


def _name(question: Tree) -> str:
    return str(question.get("model", "its input"))


def _last_line(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, 4096, max(0, size - 4096)).decode(errors="replace")
    lines = [line for line in tail.splitlines() if line.strip() and not line.startswith("INFO:")]
    return lines[-1].strip()[:300] if lines else ""


def answer(handle: Callable[[Tree], Tree]) -> None:
    """Be the child: read the question, print what `handle` returns or raises, and end.

    Native code that prints does not disturb the answer; an alarm ends a child whose parent is gone.
    """
    import resource

    stdout = os.dup(1)
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    question = json.load(sys.stdin)
    signal.alarm(math.ceil(question["deadline_s"]) + 1)
    try:
        tree = handle(question)
    except AgentError as error:
        tree = {"error": str(error), "kind": type(error).__name__}
    with os.fdopen(stdout, "wb") as out:
        out.write(json.dumps(tree).encode())
