"""Random int8 models of one operator, each made from a family's name and a seed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import (
    Add,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mul,
    Options,
    Pool2D,
    Reducer,
    Softmax,
    Sub,
)
from toolchain.tflite.reader import read
from toolchain.tflite.slots import Activation, Padding
from toolchain.tflite.writer import write

Random = np.random.Generator
ACTIVATIONS = (Activation.NONE, Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1)


@dataclass(frozen=True)
class Case:
    """A model as bytes, and inputs for it."""

    model: bytes
    inputs: list[np.ndarray]


def case(family: str, seed: int) -> Case:
    return one_operator(FAMILIES[family], family, seed)


def one_operator(make: Callable[[Random], Any], family: str, seed: int) -> Case:
    rng = np.random.default_rng([seed, *family.encode()])
    tensors, name, options, version = make(rng)
    *sources, _ = tensors
    graph = Graph(
        tuple(tensors),
        (Operator(name, tuple(range(len(sources))), (len(sources),), version, options),),
        tuple(number for number, tensor in enumerate(sources) if tensor.data is None),
        (len(sources),),
    )
    inputs = [values(rng, sources[number]) for number in graph.inputs]
    return Case(write(Model((graph,), family)), inputs)


def is_per_tensor(made: Case) -> bool:
    """Whether the case could be one of the older uint8 kind, which knows no other."""
    found = (tensor.quantization for tensor in read(made.model).main.tensors)
    return all(len(one.scales) == 1 for one in found if one)


def is_int8(made: Case) -> bool:
    """Whether int8 goes in and comes out."""
    graph = read(made.model).main
    return all(graph.tensors[i].dtype is DType.INT8 for i in (*graph.inputs, *graph.outputs))


def older(made: Case, seed: int) -> Case:
    """The same model as one of the older uint8 kind, whose weights have a zero point."""
    rng = np.random.default_rng(seed)
    model = read(made.model)

    def shift(tensor: Tensor) -> Tensor:
        if tensor.dtype is not DType.INT8:
            return tensor
        data = tensor.data and (np.frombuffer(tensor.data, np.uint8) ^ 0x80).tobytes()
        weights = tensor.name == "w"
        off = int(rng.integers(-128, 128)) if weights else tensor.quantization.zero_points[0]
        quantization = Quantization(tensor.quantization.scales, (off + 128,))
        return replace(tensor, dtype=DType.UINT8, data=data, quantization=quantization)

    graph = replace(model.main, tensors=tuple(shift(tensor) for tensor in model.main.tensors))
    operators = tuple(replace(one, version=1) for one in graph.operators)
    model = replace(model, graphs=(replace(graph, operators=operators),))
    return Case(write(model), [one.view(np.uint8) ^ 0x80 for one in made.inputs])


def surrounded(made: Case, seed: int) -> Case:
    """A convolution with a PAD before it, where its picture is large enough, and a RELU6 behind."""
    rng = np.random.default_rng(seed)
    model = read(made.model)
    graph = model.main
    picture, last = graph.tensors[0], len(graph.tensors) - 1
    room = [(length - 1) // 2 for length in picture.shape[1:3]]
    around = [(0, 0), *([int(n) for n in rng.integers(0, most + 1, 2)] for most in room), (0, 0)]
    smaller = tuple(n - sum(pair) for n, pair in zip(picture.shape, around, strict=True))
    tensors = (
        *graph.tensors,
        replace(picture, name="before", shape=smaller),
        constant(around),
        replace(graph.tensors[last], name="behind"),
    )
    conv = graph.operators[0]
    operators = (
        Operator("PAD", (last + 1, last + 2), (0,)),
        replace(conv, options=replace(conv.options, activation=Activation.NONE)),
        Operator("RELU6", (last,), (last + 3,), 2),
    )
    graph = replace(graph, tensors=tensors, operators=operators, inputs=(last + 1,))
    model = replace(model, graphs=(replace(graph, outputs=(last + 3,)),))
    return Case(write(model), [int8(rng, smaller)])


def values(rng: Random, tensor: Tensor) -> np.ndarray:
    """Random values; floats also beyond what the output can hold, and on halves of its steps."""
    if tensor.dtype is DType.INT8:
        return int8(rng, tensor.shape)
    halves = rng.integers(-400, 400, tensor.shape) / 2
    return np.where(rng.random(tensor.shape) < 0.5, halves, rng.normal(0, 60, tensor.shape)).astype(
        np.float32
    )


def int8(rng: Random, shape: tuple[int, ...]) -> np.ndarray:
    """Random bytes; now and then only the largest and the smallest."""
    if rng.random() < 0.2:
        return rng.choice(np.array([-128, 127], np.int8), size=shape)
    return rng.integers(-128, 128, shape, np.int8)


def scale(rng: Random, low: float = -6, high: float = 1) -> float:
    return float(np.float32(2 ** rng.uniform(low, high)))


def quantized(rng: Random) -> Quantization:
    zero_points = (-128, 127, 0, int(rng.integers(-128, 128)), int(rng.integers(-128, 128)))
    return Quantization((scale(rng),), (int(rng.choice(zero_points)),))


def activation(name: str, shape: tuple[int, ...], quantization: Quantization) -> Tensor:
    return Tensor(name, shape, DType.INT8, quantization)


def length(rng: Random, largest: int) -> int:
    return int(rng.integers(1, largest + 1))


def weights(rng: Random, shape: tuple[int, ...], axis: int, *, per_channel: bool) -> Tensor:
    count = shape[axis] if per_channel else 1
    scales = tuple(scale(rng, -8, -4) for _ in range(count))
    values = rng.integers(-127, 128, shape, np.int8)
    return Tensor("w", shape, DType.INT8, Quantization(scales, (0,) * count, axis), bytes(values))


def bias(rng: Random, source: Tensor, weight: Tensor, terms: int, channels: int) -> Tensor:
    scales = tuple(
        float(np.float32(source.quantization.scales[0]) * np.float32(one))
        for one in weight.quantization.scales
    )
    reach = 4000 * max(1, round(terms**0.5))
    values = rng.integers(-reach, reach, channels).astype("<i4")
    quantization = Quantization(scales, (0,) * len(scales))
    return Tensor("b", (channels,), DType.INT32, quantization, values.tobytes())


def spread(rng: Random, source: Tensor, weight: Tensor, terms: int) -> Quantization:
    """An output quantization under which sums of products neither vanish nor all saturate."""
    unit = source.quantization.scales[0] * float(np.mean(weight.quantization.scales))
    reach = unit * 5000 * terms**0.5
    return Quantization(
        (float(np.float32(reach / 2 ** rng.uniform(4, 9))),), quantized(rng).zero_points
    )


def image(rng: Random, channels: int) -> tuple[int, int, int, int]:
    return (length(rng, 2), length(rng, 12), length(rng, 12), channels)


def geometry(rng: Random, shape: tuple[int, ...], largest: int = 5) -> dict[str, Any]:
    """A window with stride, dilation and padding, and the size that comes out."""
    found: dict[str, Any] = {"padding": Padding(int(rng.integers(2)))}
    found["kernel"] = (length(rng, largest), length(rng, largest))
    found["stride"] = (length(rng, 3), length(rng, 3))
    dilated = rng.random() < 0.3
    found["dilation"] = (length(rng, 3), length(rng, 3)) if dilated else (1, 1)
    reach = [(k - 1) * d + 1 for k, d in zip(found["kernel"], found["dilation"], strict=True)]
    if any(need > have for need, have in zip(reach, shape[1:3], strict=True)):
        found["padding"] = Padding.SAME
    ends = [0, 0] if found["padding"] is Padding.SAME else [need - 1 for need in reach]
    found["size"] = tuple(
        -(-(have - end) // step)
        for have, end, step in zip(shape[1:3], ends, found["stride"], strict=True)
    )
    return found


def conv(rng: Random, most: int = 9) -> tuple[list[Tensor], str, Options, int]:
    channels, outputs = length(rng, most), length(rng, most)
    shape = image(rng, channels)
    g = geometry(rng, shape)
    source = activation("x", shape, quantized(rng))
    terms = prod(g["kernel"]) * channels
    weight = weights(
        rng, (outputs, *g["kernel"], channels), 0, per_channel=bool(rng.random() < 0.8)
    )
    target = activation("y", (shape[0], *g["size"], outputs), spread(rng, source, weight, terms))
    options = Conv2D(
        g["padding"],
        stride_h=g["stride"][0],
        stride_w=g["stride"][1],
        dilation_h=g["dilation"][0],
        dilation_w=g["dilation"][1],
        activation=ACTIVATIONS[int(rng.integers(4))],
    )
    return (
        [source, weight, bias(rng, source, weight, terms, outputs), target],
        "CONV_2D",
        options,
        3,
    )


def grouped_conv(rng: Random) -> tuple[list[Tensor], str, Options, int]:
    """A convolution whose output channels each see one of several parts of the input's."""
    (source, weight, offset, target), name, options, version = conv(rng)
    groups = max(n for n in range(1, 5) if weight.shape[0] % n == 0)
    shape = (*source.shape[:3], weight.shape[3] * groups)
    return [replace(source, shape=shape), weight, offset, target], name, options, version


def depthwise(rng: Random, most: int = 36) -> tuple[list[Tensor], str, Options, int]:
    channels, times = length(rng, most), int(rng.choice([1, 1, 2, 3, 8]))
    outputs = channels * times
    shape = image(rng, channels)
    g = geometry(rng, shape)
    source = activation("x", shape, quantized(rng))
    terms = prod(g["kernel"])
    weight = weights(rng, (1, *g["kernel"], outputs), 3, per_channel=bool(rng.random() < 0.8))
    target = activation("y", (shape[0], *g["size"], outputs), spread(rng, source, weight, terms))
    options = DepthwiseConv2D(
        g["padding"],
        stride_h=g["stride"][0],
        stride_w=g["stride"][1],
        dilation_h=g["dilation"][0],
        dilation_w=g["dilation"][1],
        depth_multiplier=times,
        activation=ACTIVATIONS[int(rng.integers(4))],
    )
    sources = [source, weight, bias(rng, source, weight, terms, outputs)]
    return [*sources, target], "DEPTHWISE_CONV_2D", options, 3


def fully_connected(
    rng: Random, most: tuple[int, int, int] = (3, 300, 20)
) -> tuple[list[Tensor], str, Options, int]:
    rows, depth, units = (length(rng, one) for one in most)
    source = activation("x", (rows, depth), quantized(rng))
    weight = weights(rng, (units, depth), 0, per_channel=bool(rng.random() < 0.5))
    if len(weight.quantization.scales) == 1 and rng.random() < 0.3:
        off = Quantization(weight.quantization.scales, (int(rng.integers(-128, 128)),))
        weight = replace(weight, quantization=off)
    target = activation("y", (rows, units), spread(rng, source, weight, depth))
    options = FullyConnected(activation=ACTIVATIONS[int(rng.integers(4))])
    sources = [source, weight, bias(rng, source, weight, depth, units)]
    if rng.random() < 0.2:
        sources.pop()
    return [*sources, target], "FULLY_CONNECTED", options, 4


def pool(name: str) -> Callable[[Random], tuple[list[Tensor], str, Options, int]]:
    def make(rng: Random) -> tuple[list[Tensor], str, Options, int]:
        shape = image(rng, length(rng, 9))
        g = geometry(rng, shape)
        ends = [0, 0] if g["padding"] is Padding.SAME else [k - 1 for k in g["kernel"]]
        size = [
            -(-(have - end) // step)
            for have, end, step in zip(shape[1:3], ends, g["stride"], strict=True)
        ]
        quantization = quantized(rng)
        options = Pool2D(
            g["padding"],
            stride_h=g["stride"][0],
            stride_w=g["stride"][1],
            filter_h=g["kernel"][0],
            filter_w=g["kernel"][1],
            activation=ACTIVATIONS[int(rng.integers(4))],
        )
        target = activation("y", (shape[0], *size, shape[3]), quantization)
        return [activation("x", shape, quantization), target], name, options, 2

    return make


def softmax(rng: Random) -> tuple[list[Tensor], str, Options, int]:
    shape = (length(rng, 3), length(rng, 30))
    source = activation(
        "x", shape, Quantization((scale(rng, -7, 1),), (int(rng.integers(-128, 128)),))
    )
    target = activation("y", shape, Quantization((1 / 256,), (-128,)))
    return [source, target], "SOFTMAX", Softmax(float(rng.choice([1.0, 1.0, 0.5, 2.0]))), 2


def binary(name: str, kind: type[Add | Sub | Mul], most: int = 6) -> Callable[[Random], Any]:
    def make(rng: Random) -> tuple[list[Tensor], str, Options, int]:
        shape = tuple(length(rng, most) for _ in range(length(rng, 4)))
        left, right = shape, shape
        if rng.random() < 0.4:
            left = tuple(1 if rng.random() < 0.3 else one for one in shape)
            right = tuple(
                have if one == 1 else (1 if rng.random() < 0.4 else have)
                for one, have in zip(left, shape, strict=True)
            )
        x, y = quantized(rng), quantized(rng)
        reach = max(x.scales[0], y.scales[0]) if kind is not Mul else x.scales[0] * y.scales[0] * 64
        out = Quantization(
            (float(np.float32(reach * 2 ** rng.uniform(-2, 3))),), quantized(rng).zero_points
        )
        options = kind(activation=ACTIVATIONS[int(rng.integers(4))])
        tensors = [activation("a", left, x), activation("b", right, y), activation("y", shape, out)]
        if rng.random() < 0.2:
            tensors[1] = Tensor("b", right, DType.INT8, y, bytes(int8(rng, right)))
        return tensors, name, options, 2

    return make


def table(
    name: str, version: int, *, rescales: bool = True, fixed: bool = False
) -> Callable[[Random], Any]:
    def make(rng: Random) -> tuple[list[Tensor], str, Options | None, int]:
        shape = tuple(length(rng, 6) for _ in range(length(rng, 4)))
        x = Quantization((scale(rng, -7, 0),), quantized(rng).zero_points)
        factor = float(np.float32(x.scales[0] * 2 ** rng.uniform(-2, 2)))
        y = Quantization((factor,), quantized(rng).zero_points) if rescales else x
        y = Quantization((1 / 256,), (-128,)) if fixed else y
        return [activation("x", shape, x), activation("y", shape, y)], name, None, version

    return make


def quantize(rng: Random) -> tuple[list[Tensor], str, None, int]:
    shape = (length(rng, 4), length(rng, 60))
    source = Tensor("x", shape, DType.FLOAT32)
    scales = (float(rng.choice([1.0, 0.5, scale(rng)])),)
    return (
        [source, activation("y", shape, Quantization(scales, quantized(rng).zero_points))],
        ("QUANTIZE"),
        None,
        1,
    )


def dequantize(rng: Random) -> tuple[list[Tensor], str, None, int]:
    shape = (length(rng, 4), length(rng, 60))
    source = activation("x", shape, quantized(rng))
    return [source, Tensor("y", shape, DType.FLOAT32)], "DEQUANTIZE", None, 2


def constant(values: Any) -> Tensor:
    array = np.array(values, "<i4")
    return Tensor("c", array.shape, DType.INT32, None, array.tobytes())


def pad(name: str) -> Callable[[Random], Any]:
    def make(rng: Random) -> tuple[list[Tensor], str, None, int]:
        shape = tuple(length(rng, 5) for _ in range(4))
        around = rng.integers(0, 4, (4, 2))
        x = quantized(rng)
        target = tuple(int(n + a + b) for n, (a, b) in zip(shape, around, strict=True))
        sources = [activation("x", shape, x), constant(around)]
        if name == "PADV2":
            sources.append(Tensor("v", (1,), DType.INT8, x, bytes(int8(rng, (1,)))))
        return [*sources, activation("y", target, x)], name, None, 1

    return make


def mean(rng: Random) -> tuple[list[Tensor], str, Options, int]:
    shape = tuple(length(rng, 9) for _ in range(4))
    axes = [[1, 2], [1], [2], [3], [-1], [1, 2, 3], [2, 1]][int(rng.integers(7))]
    keep = bool(rng.random() < 0.5)
    around = {axis % 4 for axis in axes}
    target = tuple(1 if d in around else n for d, n in enumerate(shape) if keep or d not in around)
    x = quantized(rng)
    same = rng.random() < 0.3
    factor = float(np.float32(x.scales[0] * 2 ** rng.uniform(-2, 1)))
    y = x if same else Quantization((factor,), quantized(rng).zero_points)
    sources = [activation("x", shape, x), constant(axes)]
    return [*sources, activation("y", target, y)], "MEAN", Reducer(keep), 2


def concatenation(rng: Random) -> tuple[list[Tensor], str, Options, int]:
    shape, axis = [length(rng, 5) for _ in range(4)], int(rng.integers(-4, 4))
    x = quantized(rng)
    sources = []
    for number in range(int(rng.integers(2, 5))):
        shape[axis] = length(rng, 5)
        sources.append(activation(f"x{number}", tuple(shape), x))
    shape[axis] = sum(source.shape[axis] for source in sources)
    return [*sources, activation("y", tuple(shape), x)], "CONCATENATION", Concatenation(axis), 2


FAMILIES: dict[str, Callable[[Random], tuple[list[Tensor], str, Options, int]]] = {
    "add": binary("ADD", Add),
    "concatenation": concatenation,
    "dequantize": dequantize,
    "logistic": table("LOGISTIC", 2, fixed=True),
    "mean": mean,
    "pad": pad("PAD"),
    "padv2": pad("PADV2"),
    "quantize": quantize,
    "relu": table("RELU", 2),
    "relu6": table("RELU6", 2, rescales=False),
    "requantize": table("QUANTIZE", 2),
    "average_pool": pool("AVERAGE_POOL_2D"),
    "conv": conv,
    "depthwise": depthwise,
    "fully_connected": fully_connected,
    "grouped_conv": grouped_conv,
    "max_pool": pool("MAX_POOL_2D"),
    "mul": binary("MUL", Mul),
    "softmax": softmax,
    "sub": binary("SUB", Sub),
}
