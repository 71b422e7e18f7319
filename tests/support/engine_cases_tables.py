"""Random int8 models of functions of one value, of resizing, and of sums over any dimensions."""

from collections.abc import Callable

import numpy as np

from tests.support.engine_cases import Random, activation, constant, length, quantized, scale
from toolchain.tflite.model import Quantization, Tensor
from toolchain.tflite.options import (
    LeakyRelu,
    Options,
    Reducer,
    ResizeBilinear,
    ResizeNearestNeighbor,
)

Made = tuple[list[Tensor], str, Options | None, int]


def tanh(rng: Random) -> Made:
    shape, x = some_shape(rng), wide(rng)
    target = activation("y", shape, Quantization((1 / 128,), (0,)))
    return [activation("x", shape, x), target], "TANH", None, 2


def leaky_relu(rng: Random) -> Made:
    shape, x = some_shape(rng), wide(rng)
    y = Quantization((near(rng, x, 2),), quantized(rng).zero_points)
    options = LeakyRelu(float(np.float32(rng.choice([0.01, 0.1, 0.3, rng.uniform(0, 1)]))))
    return [activation("x", shape, x), activation("y", shape, y)], "LEAKY_RELU", options, 2


def hard_swish(rng: Random) -> Made:
    shape, x = some_shape(rng), wide(rng)
    y = Quantization((near(rng, x, 2),), quantized(rng).zero_points)
    return [activation("x", shape, x), activation("y", shape, y)], "HARD_SWISH", None, 1


def relu_n1_to_1(rng: Random) -> Made:
    shape, x = some_shape(rng), wide(rng)
    y = Quantization((near(rng, x, 2),), quantized(rng).zero_points)
    return [activation("x", shape, x), activation("y", shape, y)], "RELU_N1_TO_1", None, 1


def resize(kind: type[ResizeBilinear | ResizeNearestNeighbor]) -> Callable[[Random], Made]:
    def make(rng: Random) -> Made:
        shape = tuple(length(rng, most) for most in (2, 9, 9, 5))
        height, width = length(rng, 20), length(rng, 20)
        x = quantized(rng)
        corners = bool(rng.random() < 0.4)
        half = bool(rng.random() < 0.5) and not (corners and kind is ResizeBilinear)
        sources = [activation("x", shape, x), constant([height, width])]
        target = activation("y", (shape[0], height, width, shape[3]), x)
        name = "RESIZE_BILINEAR" if kind is ResizeBilinear else "RESIZE_NEAREST_NEIGHBOR"
        return [*sources, target], name, kind(corners, half), 3

    return make


def reduce_any(name: str) -> Callable[[Random], Made]:
    def make(rng: Random) -> Made:
        shape = tuple(length(rng, 6) for _ in range(int(rng.integers(1, 5))))
        count = int(rng.integers(1, len(shape) + 1))
        axes = [int(axis) for axis in rng.choice(len(shape), count, replace=False)]
        keep = bool(rng.random() < 0.5)
        target = tuple(
            1 if axis in axes else n for axis, n in enumerate(shape) if keep or axis not in axes
        )
        signed = [axis - len(shape) if rng.random() < 0.3 else axis for axis in axes]
        x = quantized(rng)
        reach = 1 if name == "MEAN" else max(1, np.prod([shape[axis] for axis in axes]) ** 0.5)
        factor = float(np.float32(x.scales[0] * reach * 2 ** rng.uniform(-1, 1)))
        y = Quantization((factor,), quantized(rng).zero_points)
        sources = [activation("x", shape, x), constant(signed)]
        return [*sources, activation("y", target, y)], name, Reducer(keep), 2

    return make


def some_shape(rng: Random) -> tuple[int, ...]:
    return tuple(length(rng, 6) for _ in range(length(rng, 4)))


def wide(rng: Random) -> Quantization:
    return Quantization((scale(rng, -7, 0),), quantized(rng).zero_points)


def near(rng: Random, x: Quantization, octaves: float) -> float:
    return float(np.float32(x.scales[0] * 2 ** rng.uniform(-octaves, octaves)))


TABLES: dict[str, Callable[[Random], Made]] = {
    "hard_swish": hard_swish,
    "leaky_relu": leaky_relu,
    "mean_any": reduce_any("MEAN"),
    "relu_n1_to_1": relu_n1_to_1,
    "resize_bilinear": resize(ResizeBilinear),
    "resize_nearest": resize(ResizeNearestNeighbor),
    "sum": reduce_any("SUM"),
    "tanh": tanh,
}
