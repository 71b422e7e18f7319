"""The learner's end: one training session in a child that is killed when it is late or wrong."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.errors import ModelError, UnavailableError
from agent.learning.trainer import wire
from agent.learning.trainer.abi import FLOAT_BYTES, HYPER_COUNT, Shape
from agent.learning.trainer.wire import Answer, Evaluation, Op

_ROOT = str(Path(__file__).resolve().parents[4])
_COMMAND = (sys.executable, "-P", "-m", "agent.learning.trainer.app")
Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session may cost.

    Attributes:
        memory_bytes: of the module.
        call_s: of one request, loading included.
        total_s: of all of them together; processor time is limited to as much.
        steps: calls of `train`.
    """

    memory_bytes: int = 64 << 20
    call_s: float = 60.0
    total_s: float = 3600.0
    steps: int = 1_000_000


class Session:
    """A trainer module in a process of its own; every method may end it.

    All methods raise ModelError where the module is refused, trapped, late, over a limit, or said
    something that it was not asked for; the child is gone then. Arrays are bytes, little-endian:
    float32, and int32 for class numbers.
    """

    def __init__(
        self,
        module: bytes,
        runtime: str = "wasmtime",
        limits: Limits | None = None,
        cache: Path | None = None,
    ) -> None:
        """Start the child and load the module; machine code is kept in `cache`, if given."""
        self._limits = limits or Limits()
        self._ends = time.monotonic() + self._limits.total_s
        self._steps = 0
        if len(module) > wire.MAX_MODULE_BYTES:
            raise ModelError(f"has {len(module)} bytes; the limit is {wire.MAX_MODULE_BYTES}")
        words = [] if cache is None else [str(cache)]
        self._process = subprocess.Popen(
            [*_COMMAND, *words],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": _ROOT, "PATH": os.defpath},
        )
        assert self._process.stdin
        assert self._process.stdout
        self._out, self._in = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)
        name = runtime.encode()
        seconds = int(self._limits.total_s) + 1
        setup = wire.SETUP.pack(len(module), self._limits.memory_bytes, seconds, len(name))
        deadline = self._deadline()
        self._send((setup, name, module), deadline)
        self._expect_done(deadline)
        try:
            self.shape: Shape = wire.read_shape(self._receive(wire.SHAPE.size, deadline))
        except ModelError:
            self.close()
            raise
        (length,) = wire.LENGTH.unpack(self._receive(wire.LENGTH.size, deadline))
        text = self._receive(min(length, wire.MAX_TEXT), deadline)
        self.held = text.decode(errors="replace")
        """What confines the child, for people."""

    @property
    def pid(self) -> int:
        """The child's process number."""
        return self._process.pid

    def write_parameters(self, values: Bytes) -> None:
        """Hand over all parameters."""
        self._ask(Op.WRITE_PARAMETERS, 0, (values,))

    def write_anchor(self, values: Bytes) -> None:
        """Hand over FedProx's anchor."""
        self._ask(Op.WRITE_ANCHOR, 0, (values,))

    def write_control(self, values: Bytes) -> None:
        """Hand over SCAFFOLD's control."""
        self._ask(Op.WRITE_CONTROL, 0, (values,))

    def write_hyper(self, values: Bytes) -> None:
        """Hand over the eight numbers of `sv_hyper`, float32."""
        if memoryview(values).nbytes != HYPER_COUNT * FLOAT_BYTES:
            raise ModelError(f"takes {HYPER_COUNT} hyperparameters")
        self._ask(Op.WRITE_HYPER, 0, (values,))

    def begin(self) -> None:
        """Forget the momentum."""
        self._ask(Op.BEGIN, 0)

    def train(self, examples: Bytes, labels: Bytes, count: int) -> float:
        """Take one step; the mean loss before it, NaN if the module refused the batch."""
        if self._steps >= self._limits.steps:
            self.close()
            raise ModelError(f"was to take more than {self._limits.steps} steps")
        self._steps += 1
        (loss,) = wire.LOSS.unpack(self._ask(Op.TRAIN, count, (examples, labels)))
        return float(loss)

    def evaluate(self, examples: Bytes, labels: Bytes, count: int) -> Evaluation:
        """Tell what the parameters are worth on some examples, without learning."""
        said = self._ask(Op.EVALUATE, count, (examples, labels))
        loss, correct = wire.EVALUATION.unpack(said)
        if not 0 <= correct <= count:
            self.close()
            raise ModelError(f"claims {correct} right answers of {count}")
        return Evaluation(loss, correct)

    def parameters(self) -> bytes:
        """Read all parameters: as many bytes as there are, whatever the child wants to say."""
        return self._ask(Op.READ_PARAMETERS, 0)

    def outputs(self, count: int) -> bytes:
        """Read the outputs of the last `evaluate`."""
        return self._ask(Op.READ_OUTPUTS, count)

    def norms(self, count: int) -> bytes:
        """Read the norms of the examples' gradients of the last `train` with a clip norm."""
        return self._ask(Op.READ_NORMS, count)

    def close(self) -> None:
        """Kill the child; what it still had to say is never read."""
        self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout):
            if file is not None:
                with suppress(OSError):
                    file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, op: Op, count: int, pieces: Sequence[Bytes] = ()) -> bytes:
        wire.check_request(op, count, self.shape)
        given = tuple(memoryview(piece).nbytes for piece in pieces)
        if (wanted := wire.request_bytes(op, count, self.shape)) != given:
            raise ModelError(f"takes {wanted} bytes for {op.name}, not {given}")
        if self._process.returncode is not None:
            raise ModelError("the trainer has ended")
        deadline = self._deadline()
        if select.select([self._in], [], [], 0)[0]:
            raise self._ended("the trainer said something that it was not asked for")
        self._send((wire.REQUEST.pack(op, count), *pieces), deadline)
        self._expect_done(deadline)
        return self._receive(wire.answer_bytes(op, count, self.shape), deadline)

    def _expect_done(self, deadline: float) -> None:
        kind = self._receive(1, deadline)[0]
        if kind == Answer.DONE:
            return
        if kind not in (Answer.REFUSED, Answer.UNAVAILABLE):
            raise self._ended("the trainer answered with nonsense")
        (length,) = wire.LENGTH.unpack(self._receive(wire.LENGTH.size, deadline))
        said = self._receive(min(length, wire.MAX_TEXT), deadline)
        error = self._ended(" ".join(said.decode(errors="replace").split()))
        raise UnavailableError(str(error)) if kind == Answer.UNAVAILABLE else error

    def _deadline(self) -> float:
        return min(time.monotonic() + self._limits.call_s, self._ends)

    def _send(self, pieces: Sequence[Bytes], deadline: float) -> None:
        for piece in pieces:
            view = memoryview(piece).cast("B")
            while len(view):
                self._wait(self._out, select.POLLOUT, deadline)
                try:
                    view = view[os.write(self._out, view) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    return  # why it ended is its last word

    def _receive(self, length: int, deadline: float) -> bytes:
        data = bytearray(length)
        view = memoryview(data)
        while view:
            self._wait(self._in, select.POLLIN, deadline)
            with suppress(BlockingIOError):
                count = os.readv(self._in, [view])
                if count == 0:
                    raise self._died()
                view = view[count:]
        return bytes(data)

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        if not poll.poll(max(0.0, (deadline - time.monotonic()) * 1000)):
            limits = self._limits
            if deadline == self._ends:
                raise self._ended(f"the trainer's {limits.total_s:g} s are over")
            raise self._ended(f"the trainer gave no answer in {limits.call_s:g} s")

    def _died(self) -> ModelError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        code = self._process.returncode
        cause = (
            f"with {signal.Signals(-code).name}" if code is not None and code < 0 else "in itself"
        )
        return self._ended(f"the trainer died {cause}")

    def _ended(self, text: str) -> ModelError:
        self.close()
        return ModelError(text[: wire.MAX_TEXT])
