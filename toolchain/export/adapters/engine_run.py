"""Our own engine as a judge: runs a .tflite on many inputs, in wasm under wasmtime."""

from functools import cached_property
from typing import Any

import numpy as np

from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.convert.convert import Choices, to_module, to_plan
from toolchain.errors import ModelRefused, UnavailableError
from toolchain.export.quantize import Int8
from toolchain.tflite.reader import read

TARGET = "simd"


class EngineRun:
    """`Run` with one of the engine's roundings."""

    def __init__(self, rounding: str = "single") -> None:
        """Prepare; `single` is what LiteRT does, `double` TFLite Micro."""
        self._choices = Choices(rounding, TARGET)

    def __call__(self, model: bytes, inputs: Int8) -> Int8:
        """Run the model on every input, int8[n, …].

        Returns:
            The first output for each, int8[n, outputs].

        Raises:
            ModelRefused: the engine lacks what the model needs.
            UnavailableError: there is no wasmtime here.
        """
        wasmtime = _wasmtime()
        plan = to_plan(model, self._choices)
        module = to_module(plan, self._prebuilt, "export", self._choices)
        engine = wasmtime.Engine()
        store = wasmtime.Store(engine)
        compiled = wasmtime.Module(engine, module)
        exports: Any = wasmtime.Instance(store, compiled, []).exports(store)
        memory = np.frombuffer(exports["memory"].get_buffer_ptr(store), np.uint8)
        graph = read(model).main
        sizes = [graph.tensors[end].size_bytes for end in (graph.inputs[0], graph.outputs[0])]
        given = np.ascontiguousarray(inputs).reshape(len(inputs), -1).view(np.uint8)
        if given.shape[1] != sizes[0]:
            raise ModelRefused(f"the model takes {sizes[0]} bytes, not {given.shape[1]}")
        found = np.empty((len(given), sizes[1]), np.uint8)
        into, out = exports["sv_input"](store, 0), exports["sv_output"](store, 0)
        for row, answer in zip(given, found, strict=True):
            memory[into : into + sizes[0]] = row
            if status := exports["sv_invoke"](store):
                raise ModelRefused(f"the engine fails on this model with status {status}")
            answer[:] = memory[out : out + sizes[1]]
        return found.view(np.int8)

    @cached_property
    def _prebuilt(self) -> bytes:
        return load(TARGET)


def _wasmtime() -> Any:
    try:
        import wasmtime
    except (ImportError, RuntimeError, OSError) as error:
        line = str(error).partition("\n")[0]
        raise UnavailableError(
            f"wasmtime cannot be imported: {line}; export on a 64-bit system"
        ) from None
    return wasmtime
