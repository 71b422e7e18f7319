"""Random models of one operator that moves elements, of every type that the engine has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from tests.support.engine_cases import Case, Random, constant, length, quantized
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import (
    Concatenation,
    Options,
    Pack,
    Reshape,
    Split,
    SplitV,
    StridedSlice,
    Unpack,
)
from toolchain.tflite.writer import write

NUMPY = {DType.INT8: "i1", DType.INT16: "<i2", DType.INT32: "<i4", DType.FLOAT32: "<f4"}
Shape = tuple[int, ...]


@dataclass
class One:
    """One operator: its inputs and outputs, which share a type."""

    name: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    options: Options | None = None
    version: int = 2
    operands: list[Tensor] = field(init=False)

    def __post_init__(self):
        self.operands = [*self.inputs, *self.outputs]


def shape_case(family: str, seed: int, dtype: DType | None = None) -> Case:
    """The case of a family and a seed; of one type, or of any."""
    rng = np.random.default_rng([seed, *family.encode()])
    chosen = (DType.INT8, *NUMPY)[int(rng.integers(5))]
    made = MOVING[family](Kind(rng, dtype or chosen))
    count = len(made.inputs)
    graph = Graph(
        tuple(made.operands),
        (
            Operator(
                made.name,
                tuple(range(count)),
                tuple(range(count, len(made.operands))),
                made.version,
                made.options,
            ),
        ),
        tuple(number for number, tensor in enumerate(made.inputs) if tensor.data is None),
        tuple(range(count, len(made.operands))),
    )
    inputs = [any_values(rng, made.inputs[number]) for number in graph.inputs]
    return Case(write(Model((graph,), family)), inputs)


def any_values(rng: Random, tensor: Tensor) -> np.ndarray:
    """Random values over the whole range of a type."""
    numpy = np.dtype(NUMPY[tensor.dtype])
    if numpy.kind == "f":
        return rng.normal(0, 100, tensor.shape).astype(numpy)
    limits = np.iinfo(numpy)
    return rng.integers(limits.min, limits.max + 1, tensor.shape).astype(numpy)


class Kind:
    """Randomness, and tensors of one type and quantization."""

    def __init__(self, rng: Random, dtype: DType) -> None:
        self.rng, self.dtype = rng, dtype
        zero_point = quantized(rng).zero_points[0] if dtype is DType.INT8 else 0
        found = Quantization(quantized(rng).scales, (zero_point,))
        self.quantization = found if dtype in (DType.INT8, DType.INT16) else None

    def tensor(self, name: str, shape: Shape) -> Tensor:
        return Tensor(name, shape, self.dtype, self.quantization)

    def shape(self, rank: int, largest: int = 6) -> Shape:
        return tuple(length(self.rng, largest) for _ in range(rank))

    def number(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)


def strided_slice(kind: Kind) -> One:
    shape = kind.shape(kind.number(1, 4), 8)
    while True:
        begin = [kind.number(-n - 2, n + 1) for n in shape]
        end = [kind.number(-n - 2, n + 2) for n in shape]
        strides = [kind.number(1, 3) * (-1 if kind.chance(0.25) else 1) for _ in shape]
        masks = [kind.number(0, 15) & kind.number(0, 15) for _ in range(2)]
        shrink = kind.number(0, 15) & kind.number(0, 15) & (1 << len(shape)) - 1
        index = [slice(b, e, s) for b, e, s in zip(begin, end, strides, strict=True)]
        for axis, n in enumerate(shape):
            if masks[0] >> axis & 1:
                index[axis] = slice(None, index[axis].stop, strides[axis])
            if masks[1] >> axis & 1:
                index[axis] = slice(index[axis].start, None, strides[axis])
            if shrink >> axis & 1:
                strides[axis] = 1
                begin[axis] = begin[axis] % n - (n if kind.chance(0.5) else 0)
                index[axis] = 0 if masks[0] >> axis & 1 else begin[axis]
        target = np.empty(shape)[tuple(index)].shape
        if 0 not in target:
            break
    options = StridedSlice(masks[0], masks[1], shrink_axis_mask=shrink)
    limits = [constant(one) for one in (begin, end, strides)]
    return One(
        "STRIDED_SLICE", [kind.tensor("x", shape), *limits], [kind.tensor("y", target)], options
    )


def slice_(kind: Kind) -> One:
    shape = kind.shape(kind.number(1, 4))
    begin = [kind.number(0, n - 1) for n in shape]
    counts = [kind.number(1, n - b) for n, b in zip(shape, begin, strict=True)]
    size = [
        -1 if kind.chance(0.3) and n - b == c else c
        for n, b, c in zip(shape, begin, counts, strict=True)
    ]
    limits = [constant(begin), constant(size)]
    return One("SLICE", [kind.tensor("x", shape), *limits], [kind.tensor("y", tuple(counts))])


def split(kind: Kind) -> One:
    shape, count = list(kind.shape(kind.number(1, 4))), kind.number(1, 4)
    axis = kind.number(-len(shape), len(shape) - 1)
    part = shape[axis]
    shape[axis] *= count
    smaller = list(shape)
    smaller[axis] = part
    outputs = [kind.tensor(f"y{number}", tuple(smaller)) for number in range(count)]
    source = kind.tensor("x", tuple(shape))
    return One("SPLIT", [constant(axis), source], outputs, Split(count))


def split_v(kind: Kind) -> One:
    shape, count = list(kind.shape(kind.number(1, 4))), kind.number(1, 4)
    axis = kind.number(-len(shape), len(shape) - 1)
    sizes = [kind.number(1, 4) for _ in range(count)]
    outputs = []
    for number, size in enumerate(sizes):
        shape[axis] = size
        outputs.append(kind.tensor(f"y{number}", tuple(shape)))
    shape[axis] = sum(sizes)
    if kind.chance(0.3):
        sizes[kind.number(0, count - 1)] = -1
    sources = [kind.tensor("x", tuple(shape)), constant(sizes), constant(axis)]
    return One("SPLIT_V", sources, outputs, SplitV(count))


def pack(kind: Kind) -> One:
    shape, count = kind.shape(kind.number(1, 3)), kind.number(1, 4)
    axis = kind.number(-len(shape) - 1, len(shape))
    place = axis % (len(shape) + 1)
    sources = [kind.tensor(f"x{number}", shape) for number in range(count)]
    target = (*shape[:place], count, *shape[place:])
    return One("PACK", sources, [kind.tensor("y", target)], Pack(count, axis))


def unpack(kind: Kind) -> One:
    shape = kind.shape(kind.number(2, 4), 4)
    axis = kind.number(-len(shape), len(shape) - 1)
    place = axis % len(shape)
    smaller = (*shape[:place], *shape[place + 1 :])
    outputs = [kind.tensor(f"y{number}", smaller) for number in range(shape[place])]
    return One("UNPACK", [kind.tensor("x", shape)], outputs, Unpack(shape[place], axis))


def transpose(kind: Kind) -> One:
    shape = kind.shape(kind.number(1, 5), 5)
    order = [int(axis) for axis in kind.rng.permutation(len(shape))]
    target = tuple(shape[axis] for axis in order)
    return One("TRANSPOSE", [kind.tensor("x", shape), constant(order)], [kind.tensor("y", target)])


def pad(name: str, kind: Kind) -> One:
    shape = kind.shape(kind.number(1, 4))
    around = [[kind.number(0, 3), kind.number(0, 3)] for _ in shape]
    sources = [kind.tensor("x", shape), constant(around)]
    if name == "PADV2":
        value = kind.tensor("v", (1,))
        data = any_values(kind.rng, value).tobytes()
        sources.append(Tensor("v", (1,), value.dtype, value.quantization, data))
    target = tuple(n + a + b for n, (a, b) in zip(shape, around, strict=True))
    return One(name, sources, [kind.tensor("y", target)])


def concatenation(kind: Kind) -> One:
    shape = list(kind.shape(kind.number(1, 4)))
    axis = kind.number(-len(shape), len(shape) - 1)
    sources = []
    for number in range(kind.number(2, 4)):
        shape[axis] = kind.number(1, 5)
        sources.append(kind.tensor(f"x{number}", tuple(shape)))
    shape[axis] = sum(source.shape[axis] for source in sources)
    target = kind.tensor("y", tuple(shape))
    return One("CONCATENATION", sources, [target], Concatenation(axis))


def reshape(kind: Kind) -> One:
    shape = kind.shape(3, 4)
    target = (shape[0] * shape[1], shape[2]) if kind.chance(0.5) else (*shape[1:], 1, shape[0])
    sources = [kind.tensor("x", shape), constant(target)]
    return One("RESHAPE", sources, [kind.tensor("y", target)], Reshape(target))


MOVING: dict[str, Callable[[Kind], One]] = {
    "concatenation_any": concatenation,
    "pack": pack,
    "pad_any": partial(pad, "PAD"),
    "padv2_any": partial(pad, "PADV2"),
    "reshape_any": reshape,
    "slice": slice_,
    "split": split,
    "split_v": split_v,
    "strided_slice": strided_slice,
    "transpose": transpose,
    "unpack": unpack,
}
