"""Random models with variables: reads, assignments and what hangs on them, in any order."""

from dataclasses import dataclass
from math import prod

import numpy as np

from tests.support.engine_cases import Random, int8
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import (
    Add,
    CallOnce,
    Concatenation,
    Reshape,
    StridedSlice,
    VarHandle,
)
from toolchain.tflite.writer import write

Q = Quantization((0.5,), (3,))
SHAPE = (1, 4, 3)
RUNS = 5


@dataclass(frozen=True)
class Stream:
    """A model as bytes, and the inputs of one run after another."""

    model: bytes
    runs: list[list[np.ndarray]]


class Building:
    """A graph that grows; all activations have one quantization."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.handles: dict[int, int] = {}

    def tensor(self, shape, data=None, dtype=DType.INT8) -> int:
        quantization = Q if dtype is DType.INT8 else None
        name = f"t{len(self.tensors)}"
        self.tensors.append(Tensor(name, shape, dtype, quantization, data))
        return len(self.tensors) - 1

    def constant(self, values) -> int:
        array = np.array(values, "<i4")
        return self.tensor(array.shape, array.tobytes(), DType.INT32)

    def operate(self, name, inputs, shape, options=None, version=1) -> int:
        target = self.tensor(shape)
        self.operators.append(Operator(name, tuple(inputs), (target,), version, options))
        return target

    def handle(self, variable: int) -> int:
        if variable not in self.handles:
            found = self.handles[variable] = self.tensor((1,), dtype=DType.RESOURCE)
            options = VarHandle("streams", f"v{variable}")
            self.operators.append(Operator("VAR_HANDLE", (), (found,), 1, options))
        return self.handles[variable]

    def read(self, variable: int, shape) -> int:
        return self.operate("READ_VARIABLE", (self.handle(variable),), shape)

    def assign(self, variable: int, value: int) -> None:
        handle = self.handle(variable)
        self.operators.append(Operator("ASSIGN_VARIABLE", (handle, value), ()))

    def graph(self, inputs=(), outputs=()) -> Graph:
        return Graph(tuple(self.tensors), tuple(self.operators), tuple(inputs), tuple(outputs))


def starting(values: list[np.ndarray]) -> Graph:
    """The graph that is called once: assigns a constant to each variable."""
    first = Building()
    for variable, value in enumerate(values):
        first.assign(variable, first.tensor(value.shape, value.tobytes()))
    return first.graph()


def tangle(seed: int) -> Stream:
    """Up to three variables, read and assigned anywhere among sums, reshapes and RELUs."""
    rng = np.random.default_rng([seed, 11])
    main, count = Building(), int(rng.integers(1, 4))
    inputs = [main.tensor(SHAPE) for _ in range(int(rng.integers(1, 3)))]
    main.operators.append(Operator("CALL_ONCE", (), (), 1, CallOnce(1)))
    values = list(inputs)
    for _ in range(int(rng.integers(4, 14))):
        _grow(main, rng, values, int(rng.integers(count)))
    values += [main.read(variable, SHAPE) for variable in range(count)]
    outputs = {values[-1], *(int(one) for one in rng.choice(values, 2))} - set(inputs)
    model = Model((main.graph(inputs, sorted(outputs)), starting(_values(rng, count))))
    return Stream(write(model), _runs(rng, len(inputs), SHAPE))


def _grow(main: Building, rng: Random, values: list[int], variable: int) -> None:
    one, other = (int(value) for value in rng.choice(values, 2))
    match int(rng.integers(8)):
        case 0 | 1:
            values.append(main.read(variable, SHAPE))
        case 2 | 3:
            main.assign(variable, one)
        case 4 | 5:
            values.append(main.operate("ADD", (one, other), SHAPE, Add(), 2))
        case 6:
            values.append(main.operate("RELU", (one,), SHAPE, None, 2))
        case 7:
            flat = (1, prod(SHAPE))
            shown = main.operate("RESHAPE", (one, main.constant(flat)), flat, Reshape(flat))
            back = (shown, main.constant(SHAPE))
            values.append(main.operate("RESHAPE", back, SHAPE, Reshape(SHAPE)))


def ring(seed: int) -> Stream:
    """The last frames of a stream: a new one pushes the oldest out, before or behind the join."""
    rng = np.random.default_rng([seed, 12])
    frames, width, new = (int(n) for n in rng.integers((2, 1, 1), (6, 5, 3)))
    held, joined = (1, frames, width), (1, frames + new, width)
    main = Building()
    x = main.tensor((1, new, width))
    main.operators.append(Operator("CALL_ONCE", (), (), 1, CallOnce(1)))
    old = main.read(0, held)
    if rng.random() < 0.5:
        both = main.operate("CONCATENATION", (old, x), joined, Concatenation(1), 2)
        latest = _behind(main, both, new, held)
        main.assign(0, latest)
        answer = main.operate("RELU", (both,), joined, None, 2)
    else:
        kept = _behind(main, old, new, (1, max(0, frames - new), width))
        latest = main.operate("CONCATENATION", (kept, x), held, Concatenation(1), 2)
        if frames <= new:
            return ring(seed + 1_000_000)
        main.assign(0, latest)
        answer = main.operate("ADD", (latest, latest), held, Add(), 2)
    start = int8(rng, held)
    model = Model((main.graph((x,), (answer,)), starting([start])))
    return Stream(write(model), _runs(rng, 1, (1, new, width)))


def remembering() -> bytes:
    """Answers with the last four inputs, so that every run shows in the next three answers."""
    main, held = Building(), (1, 4, 3)
    x = main.tensor((1, 1, 3))
    main.operators.append(Operator("CALL_ONCE", (), (), 1, CallOnce(1)))
    kept = _behind(main, main.read(0, held), 1, (1, 3, 3))
    latest = main.operate("CONCATENATION", (kept, x), held, Concatenation(1), 2)
    main.assign(0, latest)
    answer = main.operate("RELU", (latest,), held, None, 2)
    return write(Model((main.graph((x,), (answer,)), starting([np.zeros(held, np.int8)]))))


def _behind(main: Building, source: int, start: int, shape) -> int:
    limits = [main.constant(one) for one in ((0, start, 0), (0, 0, 0), (1, 1, 1))]
    options = StridedSlice(begin_mask=5, end_mask=7)
    return main.operate("STRIDED_SLICE", (source, *limits), shape, options, 2)


def _values(rng: Random, count: int) -> list[np.ndarray]:
    return [
        int8(rng, SHAPE) if rng.random() < 0.7 else np.full(SHAPE, 3, np.int8) for _ in range(count)
    ]


def _runs(rng: Random, inputs: int, shape) -> list[list[np.ndarray]]:
    return [[int8(rng, shape) for _ in range(inputs)] for _ in range(RUNS)]


STREAMS = {"ring": ring, "tangle": tangle}
