"""int16 activations with int8 weights: whole networks, long sums, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.mobilenet_v2 import models
from tests.support.engine import Micro, difference, engine_of
from tests.support.engine_cases_s16 import activation, case_s16
from toolchain.errors import ModelRefused
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Rounding
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import FullyConnected
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write


def test_mobilenet_equals_tflite_micro():
    (model,) = (write(one) for name, one in models(0.35, 96).items() if name.endswith("16x8"))
    engine, micro = engine_of(model), Micro(model)
    shape = engine.plan.tensors[engine.plan.inputs[0]].shape
    rng = np.random.default_rng(16)
    differing = levels = 0
    for _ in range(4):
        inputs = [rng.integers(-32768, 32768, shape).astype(np.int16)]
        theirs = micro.run(inputs)
        differing += difference(engine.run(inputs), theirs)
        levels += len(np.unique(theirs[0]))
    print(f"\n16x8: {differing} values differ, {levels} levels")
    assert differing == 0
    assert levels > 20


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_longest_sums_of_the_largest_products_do_not_overflow(sign):
    depth = 4 * 511 + 3
    unit = Quantization((1.0,), (0,))
    step = Quantization((float(depth) * 128,), (0,))
    weights = np.full((5, depth), -128, np.int8)
    tensors = (
        activation("x", (1, depth), 1.0),
        Tensor("w", (5, depth), DType.INT8, unit, weights.tobytes()),
        Tensor("y", (1, 5), DType.INT16, step),
    )
    operator = Operator("FULLY_CONNECTED", (0, 1), (2,), 5, FullyConnected())
    model = write(Model((Graph(tensors, (operator,), (0,), (2,)),), "long"))
    inputs = [np.full((1, depth), -32768 if sign < 0 else 32767, np.int16)]
    theirs = Micro(model).run(inputs)
    assert difference(engine_of(model).run(inputs), theirs) == 0
    assert abs(int(theirs[0][0, 0])) > 32_000


def test_rounding_changes_nothing():
    for family in ("conv", "add", "softmax", "logistic", "mean"):
        made = case_s16(family, 1)
        twice, once = (engine_of(made.model, Settings(one)) for one in Rounding)
        assert difference(twice.run(made.inputs), once.run(made.inputs)) == 0


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 1 / 24, 1e-4, 3e-9, 2.66])
def test_every_input_of_a_sigmoid_gives_the_bytes_of_tflite_micro(name, scale):
    shape = (1 << 16,)
    tensors = (activation("x", shape, scale), activation("y", shape, 1 / 32_768))
    graph = Graph(tensors, (Operator(name, (0,), (1,), 3),), (0,), (1,))
    model = write(Model((graph,), name))
    inputs = [np.arange(-(1 << 15), 1 << 15).astype(np.int16)]
    assert difference(engine_of(model).run(inputs), Micro(model).run(inputs)) == 0


@pytest.mark.parametrize(
    ("name", "scales", "text"),
    [
        ("LOGISTIC", (2.67, 1 / 32_768), "input scale 2.67; up to 2.667 is supported"),
        ("TANH", (0.001, 1 / 128), "its output must have scale 1/32768"),
    ],
)
def test_a_sigmoid_that_tflite_would_get_wrong_is_refused(name, scales, text):
    tensors = tuple(activation(one, (4,), step) for one, step in zip("xy", scales, strict=True))
    graph = Graph(tensors, (Operator(name, (0,), (1,), 3),), (0,), (1,))
    with pytest.raises(ModelRefused, match=text):
        lower(Model((graph,), name))


@pytest.mark.parametrize(
    ("tensor", "change", "text"),
    [
        (0, {"quantization": Quantization((0.01,), (3,))}, "must be symmetric"),
        (1, {"quantization": Quantization((0.01,), (3,))}, "zero point"),
        (2, {"data": np.full(4, 1 << 50, "<i8").tobytes()}, "larger than 2^46"),
        (3, {"quantization": Quantization((1e-9,), (0,))}, "output scale is too small"),
    ],
)
def test_what_int16_kernels_cannot_do_is_refused(tensor, change, text):
    unit = Quantization((0.01,), (0,))
    tensors = [
        activation("x", (1, 8), 0.01),
        Tensor("w", (4, 8), DType.INT8, unit, bytes(32)),
        Tensor("b", (4,), DType.INT64, unit, bytes(32)),
        activation("y", (1, 4), 0.01),
    ]
    operator = Operator("FULLY_CONNECTED", (0, 1, 2), (3,), 5, FullyConnected())
    good = Model((Graph(tuple(tensors), (operator,), (0,), (3,)),), "small")
    lower(read(write(good)))
    tensors[tensor] = replace(tensors[tensor], **change)
    bad = Model((replace(good.main, tensors=tuple(tensors)),), "small")
    with pytest.raises(ModelRefused, match=text.replace("^", r"\^")):
        lower(read(write(bad)))
