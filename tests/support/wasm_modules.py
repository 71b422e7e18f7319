"""Modules made by `convert` under wasmtime and wasm3, as any host would use them."""

import struct
from collections.abc import Sequence
from functools import cache

import numpy as np

from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.convert.convert import Choices, to_module, to_plan

RECORD_BYTES = 48
DTYPES = {0: np.float32, 2: np.int32, 7: np.int16, 9: np.int8}
WASM3_STACK_BYTES = 65536


@cache
def prebuilt(target: str = "scalar") -> bytes:
    return load(target)


def module_of(model: bytes, choices: Choices | None = None) -> bytes:
    choices = choices or Choices()
    return to_module(to_plan(model, choices), prebuilt(choices.target), "a model", choices)


class Wasmtime:
    """A module, instantiated without imports."""

    name = "wasmtime"

    def __init__(self, module: bytes) -> None:
        import wasmtime

        self.store = wasmtime.Store()
        self.module = wasmtime.Module(self.store.engine, module)
        self.exports = wasmtime.Instance(self.store, self.module, []).exports(self.store)
        self.memory = self.exports["memory"]

    def call(self, function: str, *arguments: int) -> int:
        return self.exports[function](self.store, *arguments)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self.memory.read(self.store, address, address + size))

    def write(self, address: int, data: bytes) -> None:
        self.memory.write(self.store, data, address)


class Wasm3:
    """A module in the interpreter, with the stack that the agent gives."""

    name = "wasm3"

    def __init__(self, module: bytes) -> None:
        import wasm3

        environment = wasm3.Environment()
        self._runtime = environment.new_runtime(WASM3_STACK_BYTES)
        self._runtime.load(environment.parse_module(module))

    def call(self, function: str, *arguments: int) -> int:
        return self._runtime.find_function(function)(*arguments)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self._runtime.get_memory(0)[address : address + size])

    def write(self, address: int, data: bytes) -> None:
        self._runtime.get_memory(0)[address : address + len(data)] = data


RUNTIMES = (Wasmtime, Wasm3)


class Loaded:
    """A module ready to run; everything is learned from its own table of tensors."""

    def __init__(self, host: Wasmtime | Wasm3) -> None:
        self.host = host
        words = struct.unpack("<9I", host.read(host.call("sv_describe"), 36))
        self.abi, self.plan, self.tensors, self.operands, inputs, outputs, self.strings = words[:7]
        numbers = struct.unpack(
            f"<{inputs + outputs}H", host.read(self.operands, 2 * (inputs + outputs))
        )
        self.inputs, self.outputs = numbers[:inputs], numbers[inputs:]
        self.arena, self.arena_bytes = words[7:]

    def tensor(self, number: int) -> tuple[np.dtype, tuple[int, ...], int, bool]:
        """dtype, shape, bytes, and whether the model's own tensor is uint8."""
        record = self.host.read(self.tensors + number * RECORD_BYTES, RECORD_BYTES)
        dtype, rank, _, flags = record[:4]
        shape = struct.unpack_from("<6I", record, 24)[:rank]
        return np.dtype(DTYPES[dtype]), shape, struct.unpack_from("<I", record, 8)[0], flags == 1

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for place, (number, values) in enumerate(zip(self.inputs, inputs, strict=True)):
            dtype, shape, size, was_uint8 = self.tensor(number)
            inside = (values ^ 0x80).view(np.int8) if was_uint8 else values
            assert (inside.dtype, inside.shape, inside.nbytes) == (dtype, shape, size)
            self.host.write(self.host.call("sv_input", place), inside.tobytes())
        assert self.host.call("sv_invoke") == 0
        return [self._output(place, number) for place, number in enumerate(self.outputs)]

    def _output(self, place: int, number: int) -> np.ndarray:
        dtype, shape, size, was_uint8 = self.tensor(number)
        data = self.host.read(self.host.call("sv_output", place), size)
        values = np.frombuffer(data, dtype).reshape(shape)
        return values.view(np.uint8) ^ 0x80 if was_uint8 else values
