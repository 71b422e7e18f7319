"""What every home of our engine has in common: tensors in memory, and a call that runs it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError
from agent.runtime.protocol import RuntimeInfo
from agent.runtime.tensor_record import TensorRecord

_BIT_7 = np.uint8(0x80)
_STATUS = {
    1: "bad argument",
    2: "not a plan",
    3: "truncated",
    4: "corrupt",
    5: "bad header",
    6: "arena too small",
    7: "bad tensor",
    8: "an operator that this engine lacks",
    9: "bad operator",
    10: "shapes that do not go together",
    11: "bad parameter",
    12: "overlap",
}
"""Of `engine/include/selvedge/status.h`."""


def status_text(status: int) -> str:
    """Say what a status of the engine means."""
    return f"status {status} ({_STATUS.get(status, 'unknown')})"


class Slot:
    """An input or output: its bytes in the engine's memory, and how they are shown."""

    def __init__(self, record: TensorRecord, memory: NDArray[np.uint8]) -> None:
        """Take `record.bytes` bytes of the engine's memory."""
        self.info = record.info
        self._memory = memory
        if record.is_flipped:
            self.view: NDArray[Any] = np.empty(record.info.shape, np.uint8)
        else:
            self.view = memory.view(record.stored).reshape(record.info.shape)
        self.is_flipped = record.is_flipped

    @property
    def size(self) -> int:
        """How many bytes the engine has for it."""
        return self._memory.size

    def packed(self) -> bytes:
        """Return the engine's bytes for what is in the view."""
        if self.is_flipped:
            self.store()
        return self._memory.tobytes()

    def restore(self, packed: bytes) -> None:
        """Put bytes of the engine into the view; there must be as many as it has."""
        self._memory[:] = np.frombuffer(packed, np.uint8)
        if self.is_flipped:
            self.fetch()

    def store(self) -> None:
        """Bring what was written into the view to the engine, with bit 7 flipped."""
        np.bitwise_xor(self.view.reshape(-1), _BIT_7, out=self._memory)

    def fetch(self) -> None:
        """Bring the engine's bytes into the view, with bit 7 flipped."""
        np.bitwise_xor(self._memory, _BIT_7, out=self.view.reshape(-1))


class EngineModel:
    """A model in our engine; see `LoadedModel`. Its views are the engine's own memory."""

    def __init__(
        self,
        inputs: Sequence[Slot],
        outputs: Sequence[Slot],
        run: Callable[[], int],
        info: RuntimeInfo,
        macs: int | None = None,
    ) -> None:
        """Take tensors, and `run`, which computes and returns the engine's status."""
        self.inputs = tuple(slot.info for slot in inputs)
        self.outputs = tuple(slot.info for slot in outputs)
        self._inputs, self._outputs = [slot.view for slot in inputs], [s.view for s in outputs]
        self._stored = [slot for slot in inputs if slot.is_flipped]
        self._fetched = [slot for slot in outputs if slot.is_flipped]
        self._run = run
        self._info = info
        self._macs = macs

    def info(self) -> RuntimeInfo:
        """Say what serves the model."""
        return self._info

    def macs(self) -> int | None:
        """Return the multiply-accumulates of one run, if the model says."""
        return self._macs

    def input_view(self, index: int) -> NDArray[Any]:
        """Return a writable view of an input; the engine uses its memory for other things later."""
        return self._inputs[index]

    def invoke(self) -> None:
        """Compute the outputs from the inputs."""
        for slot in self._stored:
            slot.store()
        if status := self._run():
            raise ModelError(f"the runtime failed: {status_text(status)}")
        for slot in self._fetched:
            slot.fetch()

    def output_view(self, index: int) -> NDArray[Any]:
        """Return a view of an output, valid until the next `invoke`."""
        return self._outputs[index]

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Copy `inputs` in, invoke, and copy the outputs out."""
        if len(inputs) != len(self.inputs):
            raise ModelError(f"the model wants {len(self.inputs)} inputs, got {len(inputs)}")
        for info, view, array in zip(self.inputs, self._inputs, inputs, strict=True):
            info.check(array)
            view[...] = array
        self.invoke()
        return [view.copy() for view in self._outputs]
