"""simd128 scales sums in float32: next to halves and far out, its bytes are the portable ones."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.engine import Engine
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Rounding, Target
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import Conv2D, DepthwiseConv2D, FullyConnected
from toolchain.tflite.slots import Padding

CHANNELS = 136
SUMS = 256
SEEDS = 12


def tensor(name, shape, dtype=DType.INT8, scale=1.0, data=None):
    return Tensor(name, shape, dtype, Quantization((scale,), (0,)), data)


def conv(pixels):
    options = Conv2D(Padding.VALID, stride_h=1, stride_w=1)
    weights = np.ones((CHANNELS, 1, 1, 1), np.int8)
    return "CONV_2D", options, weights, (1, pixels, 1, 1), (1, pixels, 1, CHANNELS)


def depthwise(kernel):
    options = DepthwiseConv2D(Padding.SAME, stride_h=1, stride_w=1, depth_multiplier=1)
    weights = np.zeros((1, kernel, kernel, CHANNELS), np.int8)
    weights[0, kernel // 2, kernel // 2] = 1
    shape = (1, 16, 16, CHANNELS)
    return "DEPTHWISE_CONV_2D", options, weights, shape, shape


def fully_connected():
    weights = np.ones((CHANNELS, 1), np.int8)
    return "FULLY_CONNECTED", FullyConnected(), weights, (SUMS, 1), (SUMS, CHANNELS)


CASES = {
    "conv": conv(SUMS),
    "conv_of_one": conv(1),
    "depthwise_1x1": depthwise(1),
    "depthwise_3x3": depthwise(3),
    "fully_connected": fully_connected(),
}
"""Each sum is an input plus a bias."""


def graph_of(name):
    operator, options, weights, source, target = CASES[name]
    tensors = (
        tensor("x", source),
        # with another scale shifts would be the same bytes, and lie in the same place
        tensor("w", weights.shape, scale=0.25, data=weights.tobytes()),
        tensor("b", (CHANNELS,), DType.INT32, 0.25, bytes(4 * CHANNELS)),
        tensor("y", target),
    )
    return Graph(tensors, (Operator(operator, (0, 1, 2), (3,), 3, options),), (0,), (3,))


def numbers(rng, rounding):
    """Multipliers, shifts, and biases that bring some of the sums next to a half, or far out."""
    multiplier = rng.integers(1 << 30, 1 << 31, CHANNELS)
    multiplier[::9] = 1 << 30
    multiplier[::11] = rng.integers(0, 1 << 31, len(multiplier[::11]))
    multiplier[::23] = 0
    shift = -rng.integers(0, 22, CHANNELS)
    shift[::17] = rng.integers(-31, 4, len(shift[::17]))
    halves = (rng.integers(-131, 131, CHANNELS) + 0.5) * 2.0 ** (31 - shift)
    bias = np.clip(halves / np.maximum(multiplier, 1), -(2**30), 2**30).astype(np.int64)
    bias[::13] = rng.integers(-(2**31) + 200, 2**31 - 200, len(bias[::13]))
    if rounding is Rounding.SINGLE:
        multiplier = np.ldexp(multiplier, shift - 31).astype("<f4").view("<i4")
    return multiplier.astype("<i4"), shift.astype("i1"), bias.astype("<i4")


def patched(graph, settings, values):
    """The engine with a plan of the graph that has other numbers in its output stage."""
    plan = lower(Model((graph,)), settings)
    assert (plan.operators[0].layout != 0) is (settings.target is Target.SIMD128)
    stage = plan.operators[0].parameters.stage
    constants = bytearray(plan.constants)
    for start, array in zip((stage.multiplier, stage.shift, stage.bias), values, strict=True):
        constants[start : start + array.nbytes] = array.tobytes()
    return Engine(encode(replace(plan, constants=bytes(constants))))


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("name", CASES)
def test_sums_are_rounded_as_portable_ones(name, rounding):
    graph = graph_of(name)
    shape = graph.tensors[0].shape
    ramp = np.repeat(np.arange(-128, 128).astype(np.int8), shape[-1])
    seen, levels = 0, set()
    for seed in range(SEEDS):
        values = numbers(np.random.default_rng(seed), rounding)
        inputs = [np.resize(np.roll(ramp, seed - 140), shape)]
        (mine,) = patched(graph, Settings(rounding, Target.SIMD128), values).run(inputs)
        (theirs,) = patched(graph, Settings(rounding), values).run(inputs)
        assert np.array_equal(mine, theirs), f"seed {seed}, {np.argwhere(mine != theirs)[:3]}"
        seen += mine.size
        levels |= set(mine.ravel().tolist())
    print(f"\n{name}: 0 of {seen} values differ")
    assert len(levels) > 200
