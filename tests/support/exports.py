"""Networks to export, models to stand them on, and what other runtimes make of the result."""

import numpy as np
from hypothesis import strategies as st

from tests.support.engine import Lite, Micro, one_by_one
from toolchain.export.quantize import Int8, Quantized, Trained, quantize
from toolchain.training.initial import initial_parameters
from toolchain.training.network import (
    AveragePool2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool2D,
    MaxPool2D,
    Network,
)

LENGTHS = st.integers(1, 3)
PAIRS = LENGTHS | st.tuples(LENGTHS, LENGTHS)
ACTIVATIONS = st.sampled_from(["none", "relu", "relu6"])
SAME = st.just("same")
LAYERS = st.one_of(
    st.builds(Conv2D, st.integers(1, 6), PAIRS, LENGTHS, SAME, ACTIVATIONS),
    st.builds(DepthwiseConv2D, PAIRS, LENGTHS, SAME, ACTIVATIONS),
    st.builds(MaxPool2D, PAIRS, LENGTHS, SAME),
    st.builds(AveragePool2D, PAIRS, LENGTHS, SAME),
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Small networks of every kind of layer."""
    shape = draw(st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 3)))
    layers = draw(st.lists(LAYERS, max_size=3))
    end = draw(st.sampled_from([[GlobalAveragePool2D()], [Flatten()], [Dense(5, "relu")], []]))
    last = Dense(draw(st.integers(2, 6)))
    return Network(shape, (*layers, *end, last), "squared_error")


def parameters(network: Network, seed: int) -> np.ndarray:
    """As if it had learned something: biases are not 0."""
    chance = np.random.default_rng(seed)
    start = initial_parameters(network, seed)
    return (start + chance.normal(0, 0.1, start.shape)).astype(np.float32)


def inputs(network: Network, seed: int, count: int = 24) -> np.ndarray:
    """Examples in 0 to 1."""
    return np.random.default_rng(seed).random((count, *network.input)).astype(np.float32)


FEATURES = Network((6, 6, 1), (Conv2D(4, 3, 2), Dense(12, "relu")), "squared_error")
HEAD = Network((12,), (Dense(9, "relu"), Dense(4)))


def no_run(_model: bytes, _inputs: Int8) -> Int8:
    """For what needs no backbone."""
    raise AssertionError("nothing is run")


def backbone(seed: int = 1) -> Quantized:
    """A small int8 model whose output are features."""
    trained = Trained(FEATURES, parameters(FEATURES, seed))
    return quantize(trained, inputs(FEATURES, seed), no_run)


def litert(model: bytes, given: Int8) -> Int8:
    """LiteRT's answers, with XNNPACK as it comes."""
    return one_by_one(Lite(model, reference=False), given)


def tflite_micro(model: bytes, given: Int8) -> Int8:
    """TFLite Micro's answers."""
    return one_by_one(Micro(model), given)
