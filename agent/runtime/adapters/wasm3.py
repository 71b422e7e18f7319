"""Runtime `wasm3`: an interpreter that is small, everywhere, and has known holes.

So it gets only modules whose code `check_bodies` has proved, in a process that may be killed: a
call holds the interpreter lock and cannot be interrupted.
"""

import os
import weakref
from functools import cache
from typing import Any

import numpy as np

from agent.errors import ModelError, UnavailableError
from agent.runtime.engine_model import EngineModel, Slot
from agent.runtime.protocol import RuntimeInfo
from agent.runtime.wasm.body import check_bodies
from agent.runtime.wasm.sealed import INTERFACE, OPTIONAL, SealedModule
from agent.runtime.wasm.table import Placed, describe

STACK_BYTES = 64 * 1024
"""With much more, endless recursion overruns the process's own stack."""


class Wasm3Instance:
    """One module in memory; it stays there for the life of the process, since wasm3 leaks it."""

    def __init__(self, module: SealedModule) -> None:
        """Prove the code and load it.

        Raises:
            ModelError: the code is refused.
            UnavailableError: pywasm3 is not here.
        """
        try:
            import wasm3
        except ImportError as error:
            raise UnavailableError(f"wasm3 cannot be imported: {error}") from None
        check_bodies(module.data, module.module)
        self.module = module
        self.trapped = False
        try:
            environment = wasm3.Environment()
            self._runtime = environment.new_runtime(STACK_BYTES)
            self._runtime.load(environment.parse_module(module.core))
            memory = self._runtime.get_memory(0)
            wanted = INTERFACE if not module.has_reset else INTERFACE | OPTIONAL
            self._functions = {name: self._runtime.find_function(name) for name in wanted}
        except (RuntimeError, SystemError, MemoryError, ValueError) as error:
            raise ModelError(f"the runtime refuses the module: {_line(error)}") from None
        # The memory is as large as it will ever be: nothing that grows it passes the check.
        self.memory = memory.cast("B")
        if len(self.memory) != module.memory_bytes:
            raise ModelError(f"the runtime gave {len(self.memory)} bytes of memory")
        self._stderr, self._nowhere = _outlets()
        self.detail = f"wasm3 {wasm3.M3_VERSION}"

    @property
    def size_bytes(self) -> int:
        """Of the file, which is read once whole and once without its labels, and the memory."""
        return len(self.module.data) + len(self.module.core) + len(self.memory)

    def call(self, name: str, *arguments: int) -> int:
        """Call an export; too few arguments would crash wasm3, so they are counted here.

        Raises:
            ModelError: it trapped.
        """
        if len(arguments) != len((INTERFACE | OPTIONAL)[name][0]):
            raise TypeError(name)
        os.dup2(self._nowhere, 2)
        try:
            return int(self._functions[name](*arguments))
        except (RuntimeError, SystemError) as error:
            self.trapped = True
            raise ModelError(f"the runtime failed: {_line(error)}") from None
        finally:
            os.dup2(self._stderr, 2)

    def begin_again(self) -> None:
        """Put memory to what it is at a module's start."""
        memory = np.frombuffer(self.memory, np.uint8)
        memory[:] = 0
        for segment in self.module.segments:
            content = self.module.data[segment.start : segment.end]
            memory[segment.address : segment.address + len(content)] = np.frombuffer(
                content, np.uint8
            )


@cache
def _outlets() -> tuple[int, int]:
    """Where errors go, and nowhere: when a call traps, wasm3 prints thousands of lines.

    They are opened once: a later module may come when nothing can be opened any more.
    """
    return os.dup(2), os.open(os.devnull, os.O_WRONLY)


class Wasm3Pool:
    """Instances that are free, by the hash of their module: pywasm3 frees none that it loaded.

    Attributes:
        idle_bytes: of what nobody uses, and the process holds for ever.
    """

    def __init__(self) -> None:
        self.idle_bytes = 0
        self._free: dict[str, list[Wasm3Instance]] = {}

    def take(self, sha256: str, module: SealedModule) -> Wasm3Instance:
        """Return a free instance as if new, or a new one."""
        free = self._free.get(sha256)
        if not free:
            return Wasm3Instance(module)
        instance = free.pop()
        self.idle_bytes -= instance.size_bytes
        instance.begin_again()
        return instance

    def give_back(self, sha256: str, instance: Wasm3Instance) -> None:
        """Keep an instance for the next who wants it.

        A trap leaves the module's own stack pointer where it was: such an instance is done.
        """
        self.idle_bytes += instance.size_bytes
        if not instance.trapped:
            self._free.setdefault(sha256, []).append(instance)


POOL = Wasm3Pool()


class Wasm3Model(EngineModel):
    """A model under wasm3."""

    def __init__(self, module: SealedModule, sha256: str) -> None:
        """Load a module, or take one that an earlier model of this process left."""
        instance = POOL.take(sha256, module)
        inputs, outputs = describe(instance.memory, instance.call)
        super().__init__(
            [_slot(instance.memory, placed) for placed in inputs],
            [_slot(instance.memory, placed) for placed in outputs],
            lambda: instance.call("sv_invoke"),
            RuntimeInfo("wasm3", instance.detail, 1),
            module.macs,
        )
        weakref.finalize(self, POOL.give_back, sha256, instance)


def _slot(memory: memoryview, placed: Placed) -> Slot:
    start, end = placed.address, placed.address + placed.record.bytes
    return Slot(placed.record, np.frombuffer(memory[start:end], np.uint8))


def _line(error: Any) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
