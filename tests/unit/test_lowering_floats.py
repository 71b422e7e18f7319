"""What is folded in float32 models, and what is refused."""

import numpy as np
import pytest

from tests.support.small_models import with_tensor
from toolchain.errors import ModelRefused
from toolchain.lowering.lower import lower
from toolchain.plan.numbers import Function, Opcode
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Tensor
from toolchain.tflite.options import Add, Conv2D, FullyConnected, Softmax
from toolchain.tflite.slots import Activation, Padding


def float32(name, *shape, data=None):
    return Tensor(name, shape, DType.FLOAT32, None, data)


def model(tensors, operators, inputs, outputs):
    return Model((Graph(tuple(tensors), tuple(operators), inputs, outputs),))


def surrounded(activation, own=Activation.NONE):
    """A convolution between a PAD and an activation."""
    around = np.array([(0, 0), (1, 0), (2, 1), (0, 0)], "<i4")
    tensors = [
        float32("x", 1, 4, 4, 1),
        Tensor("around", (4, 2), DType.INT32, None, around.tobytes()),
        float32("p", 1, 5, 7, 1),
        float32("w", 1, 3, 3, 1, data=bytes(36)),
        float32("b", 1, data=bytes(4)),
        float32("y", 1, 3, 5, 1),
        float32("z", 1, 3, 5, 1),
    ]
    operators = [
        Operator("PAD", (0, 1), (2,)),
        Operator("CONV_2D", (2, 3, 4), (5,), 1, Conv2D(Padding.VALID, 1, 1, own)),
        Operator(activation, (5,), (6,)),
    ]
    return model(tensors, operators, (0,), (6,))


@pytest.mark.parametrize(
    ("activation", "limits"),
    [("RELU", (0.0, np.inf)), ("RELU6", (0.0, 6.0)), ("RELU_N1_TO_1", (-1.0, 1.0))],
)
def test_a_pad_and_an_activation_go_into_the_convolution(activation, limits):
    plan = lower(surrounded(activation))
    (conv,) = plan.operators
    assert conv.opcode is Opcode.CONV_2D_F32
    assert (conv.parameters.window.pad_top, conv.parameters.window.pad_left) == (1, 2)
    assert (conv.parameters.stage.low, conv.parameters.stage.high) == limits
    assert [tensor.name for tensor in plan.tensors] == ["x", "z"]


def test_an_activation_behind_another_stays():
    conv, relu = lower(surrounded("RELU6", Activation.RELU_N1_TO_1)).operators
    assert (conv.parameters.stage.low, conv.parameters.stage.high) == (-1.0, 1.0)
    assert relu.opcode is Opcode.UNARY_F32
    assert (relu.parameters.function, relu.parameters.high) == (Function.CLAMP, 6.0)


def halves(weights, bias):
    """FULLY_CONNECTED with float16 weights and bias, each behind a DEQUANTIZE."""
    tensors = [
        float32("x", 2, 3),
        Tensor("w16", weights.shape, DType.FLOAT16, None, weights.astype("<f2").tobytes()),
        float32("w", *weights.shape),
        Tensor("b16", bias.shape, DType.FLOAT16, None, bias.astype("<f2").tobytes()),
        float32("b", *bias.shape),
        float32("y", 2, len(bias)),
    ]
    operators = [
        Operator("DEQUANTIZE", (1,), (2,), 3),
        Operator("DEQUANTIZE", (3,), (4,), 3),
        Operator("FULLY_CONNECTED", (0, 2, 4), (5,), 1, FullyConnected()),
    ]
    return model(tensors, operators, (0,), (5,))


def test_float16_weights_become_float32():
    weights, bias = np.linspace(-2, 2, 12).reshape(4, 3), np.array([0.1, 65504, 1e-7, -0.0])
    plan = lower(halves(weights, bias))
    (product,) = plan.operators
    assert product.opcode is Opcode.FULLY_CONNECTED_F32
    stored = np.frombuffer(plan.constants, "<f4", 12, product.parameters.weights)
    assert (stored == weights.astype(np.float16).ravel()).all()
    stored = np.frombuffer(plan.constants, "<f4", 4, product.parameters.stage.bias)
    assert (stored == bias.astype(np.float16)).all()


def test_an_addition_writes_over_its_input():
    tensors = [float32("x", 8), float32("c", 8, data=bytes(32)), float32("y", 8)]
    plan = lower(model(tensors, [Operator("ADD", (0, 1), (2,), 1, Add())], (0,), (2,)))
    assert plan.arena_bytes == 32


CONV = surrounded("RELU")
DENSE = halves(np.zeros((4, 3)), np.zeros(4))
SHARES = model(
    [float32("x", 1, 4), float32("y", 1, 4)],
    [Operator("SOFTMAX", (0,), (1,), 1, Softmax(-1.0))],
    (0,),
    (1,),
)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (with_tensor(CONV, 3, dtype=DType.INT8, data=bytes(9)), "weights are int8 .* static int8"),
        (with_tensor(CONV, 3, data=None), r"operator 1 \(CONV_2D\): input 1 is not a constant"),
        (with_tensor(CONV, 6, shape=(1, 5, 3, 1)), r"operator 2 \(RELU\): shape .* not supported"),
        (with_tensor(DENSE, 1, data=None), "DEQUANTIZE.*input 0 is float16; only int8"),
        (SHARES, r"operator 0 \(SOFTMAX\): beta -1.0 is not supported"),
    ],
)
def test_what_is_not_supported_is_refused_in_one_line(made, reason):
    with pytest.raises(ModelRefused, match=reason) as told:
        lower(made)
    assert "\n" not in str(told.value)
