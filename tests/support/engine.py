"""The engine's host build behind ctypes, and TFLite Micro beside it."""

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from engine.host.build import LIBRARY, build
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.decode import decode
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Status, Target
from toolchain.tflite.reader import read

KERNELS = {
    Target.PORTABLE: "portable",
    Target.SWAR: "swar",
    Target.SIMD128: "simd128",
    Target.CORTEX_M: "cortex_m",
}
"""Builds that this machine can run."""
MODELS = Path(__file__).parents[3] / "shared" / "models"
MODEL_NAMES = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8")
_DTYPES = {0: np.float32, 2: np.int32, 7: np.int16, 9: np.int8}


@cache
def library(target: Target = Target.PORTABLE) -> ctypes.CDLL:
    found = ctypes.CDLL(str(build(replace(LIBRARY, kernels=KERNELS[target]))))
    found.sv_plan_check.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
    found.sv_plan_reset.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    found.sv_plan_run.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    found.sv_plan_step.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]
    found.sv_plan_data.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]
    found.sv_plan_data.restype = ctypes.c_void_p
    return found


class Memory:
    """Bytes that start at a multiple of 16."""

    def __init__(self, size: int, data: bytes = b"") -> None:
        self._held = ctypes.create_string_buffer(size + 16)
        self.address = -(-ctypes.addressof(self._held) // 16) * 16
        ctypes.memmove(self.address, data, len(data))


def check(data: bytes, arena_bytes: int, target: Target = Target.PORTABLE) -> Status:
    memory = Memory(len(data), data)
    return Status(library(target).sv_plan_check(memory.address, len(data), arena_bytes))


class Engine:
    """A plan, loaded by the build that it was packed for."""

    def __init__(self, data: bytes) -> None:
        self.plan = decode(data)
        self._library = library(Target(self.plan.target))
        self._plan = Memory(len(data), data)
        self._arena = Memory(self.plan.arena_bytes)
        status = self._library.sv_plan_check(self._plan.address, len(data), self.plan.arena_bytes)
        assert Status(status) is Status.OK

        self.reset()

    def reset(self) -> None:
        """Variables are as at first."""
        status = library().sv_plan_reset(self._plan.address, self._arena.address)
        assert Status(status) is Status.OK

    def tensor(self, number: int) -> np.ndarray:
        """A tensor's own memory."""
        record = self.plan.tensors[number]
        address = self._library.sv_plan_data(self._plan.address, self._arena.address, number)
        raw = (ctypes.c_char * record.size_bytes).from_address(address)
        return np.frombuffer(raw, _DTYPES[record.dtype]).reshape(record.shape)

    def step(self, number: int) -> None:
        status = self._library.sv_plan_step(self._plan.address, self._arena.address, number)
        assert Status(status) is Status.OK

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for number, values in zip(self.plan.inputs, inputs, strict=True):
            is_uint8 = self.plan.tensors[number].is_uint8_outside
            self.tensor(number)[...] = (values ^ 0x80).view(np.int8) if is_uint8 else values
        status = self._library.sv_plan_run(self._plan.address, self._arena.address)
        assert Status(status) is Status.OK
        return [self._outside(number) for number in self.plan.outputs]

    def _outside(self, number: int) -> np.ndarray:
        values = self.tensor(number).copy()
        return (
            values.view(np.uint8) ^ 0x80 if self.plan.tensors[number].is_uint8_outside else values
        )


def engine_of(model: bytes, settings: Settings | None = None) -> Engine:
    """The engine with what a .tflite file is lowered to."""
    return Engine(encode(lower(read(model), settings)))


class Micro:
    """TFLite Micro's interpreter: the reference for double rounding."""

    def __init__(self, model: bytes) -> None:
        from tflite_micro.python.tflite_micro import runtime

        self._interpreter = runtime.Interpreter.from_bytes(model, arena_size=4 << 20)
        self._outputs = len(read(model).main.outputs)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for number, values in enumerate(inputs):
            self._interpreter.set_input(values, number)
        self._interpreter.invoke()
        return [self._interpreter.get_output(number) for number in range(self._outputs)]


class Lite:
    """LiteRT's interpreter with its reference kernels, or with its default ones."""

    def __init__(self, model: bytes, *, reference: bool = True) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
        self._interpreter = Interpreter(
            model_content=model, experimental_op_resolver_type=kind, num_threads=1
        )
        self._interpreter.allocate_tensors()

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for detail, values in zip(self._interpreter.get_input_details(), inputs, strict=True):
            self._interpreter.set_tensor(detail["index"], values)
        self._interpreter.invoke()
        details = self._interpreter.get_output_details()
        return [self._interpreter.get_tensor(detail["index"]) for detail in details]


def one_by_one(oracle: Micro | Lite, inputs: np.ndarray) -> np.ndarray:
    """What it makes of each input, as rows: [n, …] to [n, outputs]."""
    return np.stack([oracle.run([one[None]])[0].ravel() for one in inputs])


def edge_inputs(shape: Sequence[int], rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """int8 inputs: constant at the limits and at 0, limits mixed, a ramp, then random ones."""
    fixed = [np.full(shape, value, np.int8) for value in (-128, 127, 0, -1)]
    ramp = (np.arange(np.prod(shape)) % 256 - 128).astype(np.int8).reshape(shape)
    mixed = rng.choice(np.array([-128, 127], np.int8), size=shape)
    inputs = [*fixed, ramp, mixed]
    while len(inputs) < count:
        inputs.append(rng.integers(-128, 128, shape, np.int8))
    return inputs[:count]


def difference(mine: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> int:
    """How many values differ."""
    return sum(int((a != b).sum()) for a, b in zip(mine, theirs, strict=True))
