"""A trainer module in this process: what `Session` does, without its walls and its pipe.

Same module, same runtime, same bytes; only the time of a few thousand turns of a pipe is saved.
"""

import numpy as np

from agent.learning.trainer import wire
from agent.learning.trainer.abi import TRAINER, describe
from agent.learning.trainer.adapters.instances import start
from agent.learning.trainer.wire import Evaluation
from agent.runtime.wasm.sealed import seal


class Direct:
    """See `agent.learning.learner.training.Trainer`."""

    def __init__(self, module: bytes) -> None:
        """Load it under wasmtime."""
        sealed = seal(module, TRAINER)
        self._instance = start(sealed, "wasmtime", None)
        self.shape, self._places = describe(
            lambda name: int(self._instance.call(name)), sealed.memory_bytes, sealed.optional
        )
        self._memory = np.frombuffer(self._instance.memory, np.uint8)

    def write_parameters(self, values: bytes) -> None:
        """Hand over all parameters."""
        self._put(self._places.params, values)

    def write_anchor(self, values: bytes) -> None:
        """Hand over FedProx's anchor."""
        self._put(self._places.anchor, values)

    def write_control(self, values: bytes) -> None:
        """Hand over SCAFFOLD's control."""
        self._put(self._places.control, values)

    def write_hyper(self, values: bytes) -> None:
        """Hand over the eight hyperparameters."""
        self._put(self._places.hyper, values)

    def begin(self) -> None:
        """Forget the momentum."""
        self._instance.call("sv_begin")

    def train(self, examples: bytes, labels: bytes, count: int) -> float:
        """Take one step."""
        self._put(self._places.examples, examples)
        self._put(self._places.labels, labels)
        return float(self._instance.call("sv_train", count))

    def evaluate(self, examples: bytes, labels: bytes, count: int) -> Evaluation:
        """Judge the parameters."""
        wire.check_request(wire.Op.EVALUATE, count, self.shape)
        self._put(self._places.examples, examples)
        self._put(self._places.labels, labels)
        loss = float(self._instance.call("sv_evaluate", count))
        return Evaluation(loss, int(self._instance.call("sv_correct")))

    def parameters(self) -> bytes:
        """Read all parameters."""
        at = self._places.params
        return self._memory[at : at + self.shape.parameter_bytes].tobytes()

    def _put(self, at: int, data: bytes) -> None:
        self._memory[at : at + len(data)] = np.frombuffer(data, np.uint8)
