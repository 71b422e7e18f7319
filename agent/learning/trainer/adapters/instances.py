"""A trainer module in memory, under wasmtime or wasm3, without numpy."""

import hashlib
from pathlib import Path
from typing import Any, Protocol

from agent.errors import ModelError, UnavailableError
from agent.learning.trainer.abi import TRAINER
from agent.runtime.adapters.machine_code import machine_code, one_line
from agent.runtime.wasm.body import check_bodies
from agent.runtime.wasm.sealed import SealedModule

WASM3_STACK_BYTES = 64 * 1024
RUNTIMES = ("wasmtime", "wasm3")


class Instance(Protocol):
    """Calls into a module, and its memory, which stays where it is."""

    memory: memoryview

    def call(self, name: str, *arguments: int) -> Any:
        """Call an export.

        Raises:
            ModelError: it trapped.
        """


def start(module: SealedModule, runtime: str, cache: Path | None) -> Instance:
    """Load a module.

    Raises:
        ModelError: the runtime refuses it.
        UnavailableError: the runtime is not here.
    """
    return Wasm3(module) if runtime == "wasm3" else Wasmtime(module, cache)


class Wasmtime:
    """Machine code; the process's end is the deadline, so loops are not counted."""

    def __init__(self, module: SealedModule, cache: Path | None) -> None:
        try:
            import wasmtime
        except (ImportError, RuntimeError, OSError) as error:
            raise UnavailableError(f"wasmtime cannot be imported: {one_line(error)}") from None
        self._failures = (wasmtime.WasmtimeError, wasmtime.Trap)
        try:
            # One thread: walls that hold for a thread hold for the process then. No file behind
            # the memory, either.
            options = {"parallel_compilation": False, "memory_init_cow": False}
            sha256 = hashlib.sha256(module.data).hexdigest()
            engine, compiled, _ = machine_code(wasmtime, module, sha256, options, cache)
            self._store = wasmtime.Store(engine)
            self._store.set_limits(
                memory_size=module.memory_bytes, instances=1, memories=1, tables=1
            )
            exports: Any = wasmtime.Instance(self._store, compiled, []).exports(self._store)
            names = (*TRAINER.needed, *module.optional)
            self._functions = {name: exports[name] for name in names}
            memory = exports["memory"].get_buffer_ptr(self._store, module.memory_bytes)
        except self._failures as error:
            raise ModelError(f"the runtime refuses the module: {one_line(error)}") from None
        self.memory = memoryview(memory).cast("B")

    def call(self, name: str, *arguments: int) -> Any:
        """Call an export."""
        try:
            return self._functions[name](self._store, *arguments)
        except self._failures as error:
            raise ModelError(f"the runtime failed: {one_line(error)}") from None


class Wasm3:
    """An interpreter; it gets only code that has been proved."""

    def __init__(self, module: SealedModule) -> None:
        try:
            import wasm3
        except ImportError as error:
            raise UnavailableError(f"wasm3 cannot be imported: {error}") from None
        check_bodies(module.data, module.module)
        try:
            environment = wasm3.Environment()
            self._runtime = environment.new_runtime(WASM3_STACK_BYTES)
            self._runtime.load(environment.parse_module(module.core))
            memory = self._runtime.get_memory(0)
            names = (*TRAINER.needed, *module.optional)
            self._functions = {name: self._runtime.find_function(name) for name in names}
        except (RuntimeError, SystemError, MemoryError, ValueError) as error:
            raise ModelError(f"the runtime refuses the module: {one_line(error)}") from None
        self.memory = memory.cast("B")
        if len(self.memory) != module.memory_bytes:
            raise ModelError(f"the runtime gave {len(self.memory)} bytes of memory")

    def call(self, name: str, *arguments: int) -> Any:
        """Call an export."""
        known = TRAINER.needed | TRAINER.optional
        if len(arguments) != len(known[name][0]):
            raise TypeError(name)  # too few would crash wasm3
        try:
            return self._functions[name](*arguments)
        except (RuntimeError, SystemError) as error:
            raise ModelError(f"the runtime failed: {one_line(error)}") from None
