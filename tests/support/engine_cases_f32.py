"""Random float32 models of one operator, each made from a family's name and a seed.

Whole cases have small whole numbers for inputs, weights and biases, so that every sum is exact in
any order, and a wrong tap or edge cannot hide behind rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.support.engine_cases import ACTIVATIONS, Case, constant, geometry, image, length
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Tensor
from toolchain.tflite.options import (
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    LeakyRelu,
    Mul,
    Options,
    Pool2D,
    Reducer,
    ResizeBilinear,
    Softmax,
    Sub,
)
from toolchain.tflite.reader import read
from toolchain.tflite.slots import Activation, Padding
from toolchain.tflite.writer import write

Made = tuple[list[Tensor], str, Options | None, int]


@dataclass(frozen=True)
class Random:
    """Where a case's numbers come from."""

    rng: np.random.Generator
    is_whole: bool

    def floats(self, shape: tuple[int, ...]) -> np.ndarray:
        """Values around 0 of very different sizes; or whole ones in -8 … 8."""
        if self.is_whole:
            return self.rng.integers(-8, 9, shape).astype("<f4")
        sizes = 2.0 ** self.rng.uniform(-8, 4, shape)
        return (self.rng.normal(0, 1, shape) * sizes).astype("<f4")

    def activation(self) -> Activation:
        return ACTIVATIONS[int(self.rng.integers(4))]

    def length(self, largest: int) -> int:
        return length(self.rng, largest)

    def shape(self) -> tuple[int, ...]:
        return tuple(self.length(7) for _ in range(self.length(4)))


def case_f32(family: str, seed: int, *, is_whole: bool = False) -> Case:
    rng = np.random.default_rng([seed, int(is_whole), *family.encode()])
    random = Random(rng, is_whole)
    tensors, name, options, version = FLOAT_FAMILIES[family](random)
    *sources, _ = tensors
    graph = Graph(
        tuple(tensors),
        (Operator(name, tuple(range(len(sources))), (len(sources),), version, options),),
        tuple(number for number, tensor in enumerate(sources) if tensor.data is None),
        (len(sources),),
    )
    inputs = [random.floats(sources[number].shape) for number in graph.inputs]
    return Case(write(Model((graph,), family)), inputs)


def surrounded_f32(family: str, seed: int) -> Case:
    """A whole case with a PAD before it, where its picture is large enough, and a RELU6 behind."""
    made = case_f32(family, seed, is_whole=True)
    graph = read(made.model).main
    rng = np.random.default_rng(seed)
    picture, last = graph.tensors[0], len(graph.tensors) - 1
    room = [(length - 1) // 2 for length in picture.shape[1:3]]
    around = [(0, 0), *([int(n) for n in rng.integers(0, most + 1, 2)] for most in room), (0, 0)]
    smaller = tuple(n - sum(pair) for n, pair in zip(picture.shape, around, strict=True))
    before, behind = float32("before", smaller), replace(graph.tensors[last], name="behind")
    (conv,) = graph.operators
    operators = (
        Operator("PAD", (last + 1, last + 2), (0,)),
        replace(conv, options=replace(conv.options, activation=Activation.NONE)),
        Operator("RELU6", (last,), (last + 3,)),
    )
    tensors = (*graph.tensors, before, constant(around), behind)
    graph = Graph(tensors, operators, (last + 1,), (last + 3,))
    return Case(write(Model((graph,))), [Random(rng, is_whole=True).floats(smaller)])


def float32(name: str, shape: tuple[int, ...], values: np.ndarray | None = None) -> Tensor:
    return Tensor(name, shape, DType.FLOAT32, None, None if values is None else values.tobytes())


def _constants(random: Random, weights: tuple[int, ...], channels: int) -> list[Tensor]:
    return [
        float32("w", weights, random.floats(weights)),
        float32("b", (channels,), random.floats((channels,))),
    ]


def conv(random: Random) -> Made:
    groups = int(random.rng.choice([1, 1, 1, 2, 3]))
    depth, outputs = random.length(9), groups * random.length(24 // groups)
    shape = image(random.rng, depth * groups)
    g = geometry(random.rng, shape)
    options = Conv2D(
        g["padding"],
        stride_h=g["stride"][0],
        stride_w=g["stride"][1],
        dilation_h=g["dilation"][0],
        dilation_w=g["dilation"][1],
        activation=random.activation(),
    )
    constants = _constants(random, (outputs, *g["kernel"], depth), outputs)
    target = float32("y", (shape[0], *g["size"], outputs))
    return [float32("x", shape), *constants, target], "CONV_2D", options, 6 if groups > 1 else 1


def pointwise(random: Random) -> Made:
    """A window of one tap: the products of two matrices."""
    depth, outputs = random.length(40), random.length(40)
    shape = image(random.rng, depth)
    options = Conv2D(Padding.SAME, stride_h=1, stride_w=1, activation=random.activation())
    constants = _constants(random, (outputs, 1, 1, depth), outputs)
    return (
        [float32("x", shape), *constants, float32("y", (*shape[:3], outputs))],
        "CONV_2D",
        options,
        1,
    )


def depthwise(random: Random) -> Made:
    channels, times = random.length(36), int(random.rng.choice([1, 1, 1, 2, 3]))
    shape = image(random.rng, channels)
    g = geometry(random.rng, shape)
    if random.rng.random() < 0.5:
        g = _three_by_three(random, shape)
    options = DepthwiseConv2D(
        g["padding"],
        stride_h=g["stride"][0],
        stride_w=g["stride"][1],
        dilation_h=g["dilation"][0],
        dilation_w=g["dilation"][1],
        depth_multiplier=times,
        activation=random.activation(),
    )
    outputs = channels * times
    constants = _constants(random, (1, *g["kernel"], outputs), outputs)
    target = float32("y", (shape[0], *g["size"], outputs))
    return [float32("x", shape), *constants, target], "DEPTHWISE_CONV_2D", options, 2


def _three_by_three(random: Random, shape: tuple[int, ...]) -> dict[str, Any]:
    stride = random.length(2)
    return {
        "padding": Padding.SAME,
        "kernel": (3, 3),
        "stride": (stride, stride),
        "dilation": (1, 1),
        "size": tuple(-(-n // stride) for n in shape[1:3]),
    }


def fully_connected(random: Random) -> Made:
    rows, depth, units = random.length(4), random.length(80), random.length(20)
    constants = _constants(random, (units, depth), units)
    if random.rng.random() < 0.2:
        del constants[1]
    tensors = [float32("x", (rows, depth)), *constants, float32("y", (rows, units))]
    return tensors, "FULLY_CONNECTED", FullyConnected(random.activation()), 1


def pool(name: str) -> Callable[[Random], Made]:
    def make(random: Random) -> Made:
        shape = image(random.rng, random.length(20))
        g = geometry(random.rng, shape)
        ends = [0, 0] if g["padding"] is Padding.SAME else [k - 1 for k in g["kernel"]]
        size = [
            -(-(have - end) // step)
            for have, end, step in zip(shape[1:3], ends, g["stride"], strict=True)
        ]
        options = Pool2D(
            g["padding"],
            stride_h=g["stride"][0],
            stride_w=g["stride"][1],
            filter_h=g["kernel"][0],
            filter_w=g["kernel"][1],
            activation=random.activation(),
        )
        return [float32("x", shape), float32("y", (shape[0], *size, shape[3]))], name, options, 1

    return make


def binary(name: str, kind: type[Add | Sub | Mul]) -> Callable[[Random], Made]:
    def make(random: Random) -> Made:
        rng, shape = random.rng, random.shape()
        left, right = shape, shape
        if rng.random() < 0.4:
            left = tuple(1 if rng.random() < 0.3 else one for one in shape)
            right = tuple(
                have if one == 1 else (1 if rng.random() < 0.4 else have)
                for one, have in zip(left, shape, strict=True)
            )
        second = random.floats(right) if rng.random() < 0.2 else None
        tensors = [float32("a", left), float32("b", right, second), float32("y", shape)]
        return tensors, name, kind(activation=random.activation()), 1

    return make


def unary(
    name: str, options: Callable[[Random], Options | None] = lambda _: None
) -> Callable[[Random], Made]:
    def make(random: Random) -> Made:
        shape = random.shape()
        return [float32("x", shape), float32("y", shape)], name, options(random), 1

    return make


def softmax(random: Random) -> Made:
    shape = (*random.shape(), random.length(40))[-4:]
    beta = float(random.rng.choice([1.0, 1.0, 0.5, 2.0]))
    return [float32("x", shape), float32("y", shape)], "SOFTMAX", Softmax(beta), 1


def reduction(name: str) -> Callable[[Random], Made]:
    def make(random: Random) -> Made:
        shape = tuple(random.length(9) for _ in range(4))
        axes = [[1, 2], [1], [2], [3], [-1], [1, 2, 3], [2, 1], [1, 3]][int(random.rng.integers(8))]
        keep = bool(random.rng.random() < 0.5)
        around = {axis % 4 for axis in axes}
        target = tuple(
            1 if d in around else n for d, n in enumerate(shape) if keep or d not in around
        )
        return [float32("x", shape), constant(axes), float32("y", target)], name, Reducer(keep), 1

    return make


def resize_bilinear(random: Random) -> Made:
    shape = image(random.rng, random.length(9))
    size = (random.length(20), random.length(20))
    kind = int(random.rng.integers(3))
    options = ResizeBilinear(align_corners=kind == 1, half_pixel_centers=kind == 2)
    target = float32("y", (shape[0], *size, shape[3]))
    return [float32("x", shape), constant(size), target], "RESIZE_BILINEAR", options, 3


SUMS = frozenset(
    {"average_pool", "conv", "depthwise", "fully_connected", "mean", "pointwise", "sum"}
)
"""Families that add up several terms, which another build may do in another order."""

FLOAT_FAMILIES: dict[str, Callable[[Random], Made]] = {
    "add": binary("ADD", Add),
    "average_pool": pool("AVERAGE_POOL_2D"),
    "conv": conv,
    "depthwise": depthwise,
    "fully_connected": fully_connected,
    "hard_swish": unary("HARD_SWISH"),
    "leaky_relu": unary("LEAKY_RELU", lambda random: LeakyRelu(float(random.floats(())))),
    "logistic": unary("LOGISTIC"),
    "max_pool": pool("MAX_POOL_2D"),
    "mean": reduction("MEAN"),
    "mul": binary("MUL", Mul),
    "pointwise": pointwise,
    "relu": unary("RELU"),
    "relu6": unary("RELU6"),
    "relu_n1_to_1": unary("RELU_N1_TO_1"),
    "resize_bilinear": resize_bilinear,
    "softmax": softmax,
    "sub": binary("SUB", Sub),
    "sum": reduction("SUM"),
    "tanh": unary("TANH"),
}
