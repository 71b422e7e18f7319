"""Random models of one int16 operator with int8 weights, symmetric as TFLite's 16x8 has them."""

from collections.abc import Callable
from math import prod

import numpy as np

from tests.support.engine_cases import (
    ACTIVATIONS,
    Case,
    Random,
    geometry,
    image,
    length,
    scale,
    weights,
)
from tests.support.engine_cases_tables import reduce_any
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import (
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mul,
    Options,
    Pool2D,
    Softmax,
    Sub,
)
from toolchain.tflite.writer import write

Made = tuple[list[Tensor], str, Options | None, int]


def case_s16(family: str, seed: int) -> Case:
    rng = np.random.default_rng([seed, *family.encode(), 16])
    tensors, name, options, version = INT16_FAMILIES[family](rng)
    *sources, _ = tensors
    count = len(sources)
    graph = Graph(
        tuple(tensors),
        (Operator(name, tuple(range(count)), (count,), version, options),),
        tuple(number for number, tensor in enumerate(sources) if tensor.data is None),
        (count,),
    )
    inputs = [_values(rng, sources[number]) for number in graph.inputs]
    return Case(write(Model((graph,), family)), inputs)


def int16(rng: Random, shape: tuple[int, ...]) -> np.ndarray:
    """Random values; now and then small ones, or only the largest and the smallest."""
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(np.array([-32768, 32767], np.int16), size=shape)
    reach = 300 if kind < 0.4 else 32768
    return rng.integers(-reach, reach, shape).astype(np.int16)


def _values(rng: Random, tensor: Tensor) -> np.ndarray:
    if tensor.dtype is DType.INT16:
        return int16(rng, tensor.shape)
    halves = rng.integers(-80_000, 80_000, tensor.shape) / 2
    spread = rng.normal(0, 15_000, tensor.shape)
    return np.where(rng.random(tensor.shape) < 0.5, halves, spread).astype(np.float32)


def activation(name: str, shape: tuple[int, ...], step: float) -> Tensor:
    return Tensor(name, shape, DType.INT16, Quantization((float(np.float32(step)),), (0,)))


def small_scale(rng: Random) -> float:
    return scale(rng, -14, -8)


def products(
    rng: Random, source: Tensor, weight: Tensor, terms: int, channels: int, *, is_wide: bool
) -> tuple[list[Tensor], float]:
    """Weights and bias, and a scale under which the sums neither vanish nor all saturate."""
    unit = source.quantization.scales[0] * float(np.mean(weight.quantization.scales))
    reach = 1_200_000 * terms**0.5
    scales = tuple(
        float(np.float32(source.quantization.scales[0] * one)) for one in weight.quantization.scales
    )
    bias = []
    if rng.random() < 0.85:
        values = rng.integers(-int(reach), int(reach) + 1, channels)
        dtype, code = (DType.INT64, "<i8") if is_wide else (DType.INT32, "<i4")
        quantization = Quantization(scales, (0,) * len(scales))
        bias = [Tensor("b", (channels,), dtype, quantization, values.astype(code).tobytes())]
    return [weight, *bias], unit * reach / 2 ** rng.uniform(12, 17)


def conv(rng: Random) -> Made:
    channels, outputs = length(rng, 20), length(rng, 9)
    shape = image(rng, channels)
    g = geometry(rng, shape)
    source = activation("x", shape, small_scale(rng))
    terms = prod(g["kernel"]) * channels
    weight = weights(rng, (outputs, *g["kernel"], channels), 0, per_channel=True)
    is_wide = bool(rng.random() < 0.6)
    constants, step = products(rng, source, weight, terms, outputs, is_wide=is_wide)
    options = Conv2D(
        g["padding"],
        stride_h=g["stride"][0],
        stride_w=g["stride"][1],
        dilation_h=g["dilation"][0],
        dilation_w=g["dilation"][1],
        activation=ACTIVATIONS[int(rng.integers(4))],
    )
    target = activation("y", (shape[0], *g["size"], outputs), step)
    return [source, *constants, target], "CONV_2D", options, 4


def depthwise(rng: Random) -> Made:
    channels, times = length(rng, 36), int(rng.choice([1, 1, 2, 3]))
    outputs = channels * times
    shape = image(rng, channels)
    g = geometry(rng, shape)
    source = activation("x", shape, small_scale(rng))
    terms = prod(g["kernel"])
    weight = weights(rng, (1, *g["kernel"], outputs), 3, per_channel=True)
    constants, step = products(rng, source, weight, terms, outputs, is_wide=True)
    options = DepthwiseConv2D(
        g["padding"],
        stride_h=g["stride"][0],
        stride_w=g["stride"][1],
        dilation_h=g["dilation"][0],
        dilation_w=g["dilation"][1],
        depth_multiplier=times,
        activation=ACTIVATIONS[int(rng.integers(4))],
    )
    target = activation("y", (shape[0], *g["size"], outputs), step)
    return [source, *constants, target], "DEPTHWISE_CONV_2D", options, 5


def fully_connected(rng: Random) -> Made:
    rows, units = length(rng, 4), length(rng, 20)
    is_wide = bool(rng.random() < 0.6)
    depth = length(rng, 700 if is_wide else 100)
    source = activation("x", (rows, depth), small_scale(rng))
    weight = weights(rng, (units, depth), 0, per_channel=False)
    constants, step = products(rng, source, weight, depth, units, is_wide=is_wide)
    options = FullyConnected(ACTIVATIONS[int(rng.integers(4))])
    return [source, *constants, activation("y", (rows, units), step)], "FULLY_CONNECTED", options, 5


def binary(name: str, kind: type[Add | Sub | Mul]) -> Callable[[Random], Made]:
    def make(rng: Random) -> Made:
        shape = tuple(length(rng, 6) for _ in range(length(rng, 4)))
        left, right = shape, shape
        if rng.random() < 0.4:
            left = tuple(1 if rng.random() < 0.3 else one for one in shape)
            right = tuple(
                have if one == 1 else (1 if rng.random() < 0.4 else have)
                for one, have in zip(left, shape, strict=True)
            )
        steps = small_scale(rng), small_scale(rng)
        reach = max(steps) if kind is not Mul else steps[0] * steps[1] * 16_384
        target = activation("y", shape, reach * 2 ** rng.uniform(-2, 3))
        options = kind(activation=ACTIVATIONS[int(rng.integers(4))])
        pair = [activation("a", left, steps[0]), activation("b", right, steps[1])]
        return [*pair, target], name, options, 3

    return make


def pool(name: str) -> Callable[[Random], Made]:
    def make(rng: Random) -> Made:
        shape = image(rng, length(rng, 20))
        g = geometry(rng, shape)
        ends = [0, 0] if g["padding"].name == "SAME" else [k - 1 for k in g["kernel"]]
        size = [
            -(-(have - end) // step)
            for have, end, step in zip(shape[1:3], ends, g["stride"], strict=True)
        ]
        step = small_scale(rng)
        options = Pool2D(
            g["padding"],
            stride_h=g["stride"][0],
            stride_w=g["stride"][1],
            filter_h=g["kernel"][0],
            filter_w=g["kernel"][1],
            activation=ACTIVATIONS[int(rng.integers(4))],
        )
        target = activation("y", (shape[0], *size, shape[3]), step)
        return [activation("x", shape, step), target], name, options, 3

    return make


def softmax(rng: Random) -> Made:
    shape = (*(length(rng, 4) for _ in range(length(rng, 3) - 1)), length(rng, 60))
    source = activation("x", shape, scale(rng, -15, -9))
    beta = float(rng.choice([1.0, 1.0, 0.5, 2.0]))
    return [source, activation("y", shape, 1 / 32_768)], "SOFTMAX", Softmax(beta), 3


def sigmoid(name: str) -> Callable[[Random], Made]:
    def make(rng: Random) -> Made:
        shape = tuple(length(rng, 8) for _ in range(length(rng, 3)))
        # TFLite takes a scale near 2^-12 (TANH: 2^-11) for that; 2.66 is the largest it can.
        near = 2.0 ** int(rng.integers(-13, -9)) * (1 + rng.uniform(-0.002, 0.002))
        step = near if rng.random() < 0.4 else min(scale(rng, -18, 3), 2.66)
        return [activation("x", shape, step), activation("y", shape, 1 / 32_768)], name, None, 3

    return make


def reduce(name: str) -> Callable[[Random], Made]:
    def make(rng: Random) -> Made:
        (x, axes, y), _, options, version = reduce_any(name)(rng)
        source = activation("x", x.shape, small_scale(rng))
        ratio = y.quantization.scales[0] / x.quantization.scales[0]
        step = source.quantization.scales[0] * (1.0 if rng.random() < 0.3 else ratio)
        return [source, axes, activation("y", y.shape, step)], name, options, version

    return make


def quantize(rng: Random) -> Made:
    shape = (length(rng, 4), length(rng, 60))
    step = float(rng.choice([1.0, 0.5, scale(rng, -2, 2)]))
    return [Tensor("x", shape, DType.FLOAT32), activation("y", shape, step)], "QUANTIZE", None, 1


def dequantize(rng: Random) -> Made:
    shape = (length(rng, 4), length(rng, 60))
    target = Tensor("y", shape, DType.FLOAT32)
    return [activation("x", shape, small_scale(rng)), target], "DEQUANTIZE", None, 3


INT16_FAMILIES: dict[str, Callable[[Random], Made]] = {
    "add": binary("ADD", Add),
    "average_pool": pool("AVERAGE_POOL_2D"),
    "conv": conv,
    "depthwise": depthwise,
    "dequantize": dequantize,
    "fully_connected": fully_connected,
    "logistic": sigmoid("LOGISTIC"),
    "max_pool": pool("MAX_POOL_2D"),
    "mean": reduce("MEAN"),
    "mul": binary("MUL", Mul),
    "quantize": quantize,
    "softmax": softmax,
    "sub": binary("SUB", Sub),
    "sum": reduce("SUM"),
    "tanh": sigmoid("TANH"),
}
