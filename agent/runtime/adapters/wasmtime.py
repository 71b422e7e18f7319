"""Runtime `wasmtime`: machine code with bounds, for 64-bit systems."""

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import ModelError, UnavailableError
from agent.runtime.adapters.installed import version
from agent.runtime.adapters.machine_code import machine_code, one_line
from agent.runtime.adapters.wasmtime_call import Call, prepared
from agent.runtime.engine_model import EngineModel, Slot
from agent.runtime.protocol import RuntimeInfo
from agent.runtime.wasm.sealed import INTERFACE, OPTIONAL, SealedModule
from agent.runtime.wasm.table import Placed, describe

TICKS = 4
"""A run may take so many ticks of the clock of deadlines; at most one more passes unseen."""


class WasmtimeModel(EngineModel):
    """A model under wasmtime."""

    def __init__(
        self, module: SealedModule, sha256: str, cache: Path | None, deadline_s: float | None
    ) -> None:
        """Compile a module, or take its machine code from the cache.

        Raises:
            ModelError: wasmtime refuses it, or it does not answer as a model does.
            UnavailableError: wasmtime is not here.
        """
        try:
            import wasmtime
        except (ImportError, RuntimeError, OSError) as error:
            raise UnavailableError(f"wasmtime cannot be imported: {one_line(error)}") from None
        self._failures = (wasmtime.WasmtimeError, wasmtime.Trap)
        self._deadline_s = deadline_s
        try:
            options = {"epoch_interruption": deadline_s is not None}
            engine, compiled, origin = machine_code(wasmtime, module, sha256, options, cache)
            self._store = wasmtime.Store(engine)
            self._store.set_limits(
                memory_size=module.memory_bytes, instances=1, memories=1, tables=1
            )
            self._wind()
            instance = wasmtime.Instance(self._store, compiled, [])
        except self._failures as error:
            raise ModelError(f"the runtime refuses the module: {one_line(error)}") from None
        exports: Any = instance.exports(self._store)
        self._functions = {
            name: exports[name] for name in INTERFACE | OPTIONAL if name in module.module.exports
        }
        self._prepared = prepared(wasmtime, self._store, self._functions["sv_invoke"])
        if deadline_s is not None:
            _Ticker(engine, deadline_s / TICKS).start()
        memory = exports["memory"].get_buffer_ptr(self._store, module.memory_bytes)
        view = memoryview(memory).cast("B")
        inputs, outputs = describe(view, self._call)
        super().__init__(
            [_slot(view, placed) for placed in inputs],
            [_slot(view, placed) for placed in outputs],
            self._invoke,
            RuntimeInfo("wasmtime", f"wasmtime {version('wasmtime')}, {origin}", 1),
            module.macs,
        )

    def _wind(self) -> None:
        if self._deadline_s is not None:
            self._store.set_epoch_deadline(TICKS + 1)

    def _invoke(self) -> int:
        return self._guarded(self._prepared)

    def _call(self, name: str, *arguments: int) -> int:
        return self._guarded(lambda: int(self._functions[name](self._store, *arguments)))

    def _guarded(self, call: Call) -> int:
        self._wind()
        try:
            return call()
        except self._failures as error:
            line = one_line(error)
            if line == "interrupt":
                line = f"it ran for more than {self._deadline_s:g} s"
            raise ModelError(f"the runtime failed: {line}") from None


class _Ticker(threading.Thread):
    """Turns the clock of deadlines, for the life of the process."""

    def __init__(self, engine: Any, interval_s: float) -> None:
        super().__init__(name="wasm-deadline", daemon=True)
        self._engine = engine
        self._interval_s = interval_s

    def run(self) -> None:
        while True:
            time.sleep(self._interval_s)
            self._engine.increment_epoch()


def _slot(memory: memoryview, placed: Placed) -> Slot:
    start, end = placed.address, placed.address + placed.record.bytes
    return Slot(placed.record, np.frombuffer(memory[start:end], np.uint8))
