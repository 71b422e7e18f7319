"""Runtime `host`: a plan in our own engine, compiled for this machine."""

import ctypes
import platform
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError
from agent.runtime.adapters.engine_library import load_library
from agent.runtime.engine_model import EngineModel, Slot, status_text
from agent.runtime.plan_file import PlanFile
from agent.runtime.protocol import RuntimeInfo
from agent.runtime.tensor_record import TensorRecord

ALIGNMENT_BYTES = 16


class HostModel(EngineModel):
    """A plan that the engine has checked; what passes may run whatever its bytes are."""

    def __init__(self, plan: PlanFile) -> None:
        """Check a plan and make its arena.

        Raises:
            ModelError: the engine refuses it.
            UnavailableError: there is no engine for this machine.
        """
        library = load_library()
        self._plan = _aligned(len(plan.data))
        self._plan[:] = np.frombuffer(plan.data, np.uint8)
        self._arena = _aligned(plan.arena_bytes)
        self._address = self._plan.ctypes.data, self._arena.ctypes.data
        status = library.sv_plan_check(self._address[0], len(plan.data), plan.arena_bytes)
        if status:
            raise ModelError(f"the engine refuses the plan: {status_text(status)}")
        if reset := _reset(library):
            reset(*self._address)
        self._library = library
        inputs = [self._slot(*tensor) for tensor in plan.inputs]
        outputs = [self._slot(*tensor) for tensor in plan.outputs]
        run, (code, arena) = library.sv_plan_run, self._address
        super().__init__(
            inputs,
            outputs,
            lambda: int(run(code, arena)),
            RuntimeInfo("host", f"engine for {platform.machine()}", 1),
        )

    def _slot(self, number: int, record: TensorRecord) -> Slot:
        address = self._library.sv_plan_data(*self._address, number)
        memory = self._arena if record.in_arena else self._plan
        start = (address or 0) - memory.ctypes.data
        if not 0 <= start <= memory.size - record.bytes:
            raise ModelError(f"tensor {record.info} lies outside the engine's memory")
        return Slot(record, memory[start : start + record.bytes])


def _reset(library: ctypes.CDLL) -> Any:
    """The call that puts variables to their start values; older engines have none."""
    function = getattr(library, "sv_plan_reset", None)
    if function is not None:
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return function


def _aligned(size: int) -> NDArray[np.uint8]:
    room = np.zeros(size + ALIGNMENT_BYTES, np.uint8)
    start = -room.ctypes.data % ALIGNMENT_BYTES
    return room[start : start + size]
