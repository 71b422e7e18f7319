"""What is folded away, and where the rest lies."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.small_models import conv_model
from toolchain.lowering.lower import lower
from toolchain.lowering.order import orders
from toolchain.plan.numbers import Opcode, Place
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import Add, Conv2D, Pool2D, Reshape
from toolchain.tflite.slots import Activation, Padding

Q = Quantization((0.5,), (3,))


def int8(name, *shape, data=None):
    return Tensor(name, shape, DType.INT8, Q, data)


def model(tensors, operators, inputs, outputs):
    return Model((Graph(tuple(tensors), tuple(operators), inputs, outputs),))


def paddings(*pairs):
    return Tensor("around", (4, 2), DType.INT32, None, np.array(pairs, "<i4").tobytes())


def padded(around, outputs=(4,)):
    weights = Quantization((0.25,), (0,))
    tensors = [
        int8("x", 1, 4, 4, 1),
        paddings((0, 0), around[0], around[1], (0, 0)),
        int8("p", 1, 4 + sum(around[0]), 4 + sum(around[1]), 1),
        Tensor("w", (1, 3, 3, 1), DType.INT8, weights, bytes(9)),
        int8("y", 1, 2 + sum(around[0]), 2 + sum(around[1]), 1),
    ]
    conv = Conv2D(Padding.VALID, stride_h=1, stride_w=1)
    operators = [
        Operator("PAD", (0, 1), (2,)),
        Operator("CONV_2D", (2, 3), (4,), 3, conv),
    ]
    return model(tensors, operators, (0,), outputs)


def test_a_pad_goes_into_the_convolution():
    plan = lower(padded(((1, 0), (2, 1))))
    (conv,) = plan.operators
    assert (conv.parameters.window.pad_top, conv.parameters.window.pad_left) == (1, 2)
    assert [tensor.name for tensor in plan.tensors] == ["x", "y"]


def test_a_pad_that_others_read_stays():
    plan = lower(padded(((1, 0), (2, 1)), outputs=(4, 2)))
    assert [one.opcode for one in plan.operators] == [Opcode.PAD, Opcode.CONV_2D_S8]
    assert plan.operators[1].parameters.window.pad_top == 0


def chain(activation, last=Q, own=Activation.NONE):
    tensors = [int8("a", 2, 8), int8("b", 2, 8), int8("s", 2, 8), replace(int8("y", 2, 8))]
    tensors[3] = replace(tensors[3], quantization=last)
    operators = [
        Operator("ADD", (0, 1), (2,), 2, Add(own)),
        Operator(activation, (2,), (3,), 2),
    ]
    return model(tensors, operators, (0, 1), (3,))


def test_an_activation_goes_into_the_operator_before_it():
    plan = lower(chain("RELU6"))
    (add,) = plan.operators
    assert (add.parameters.low, add.parameters.high) == (3, 15)
    assert [tensor.name for tensor in plan.tensors] == ["a", "b", "y"]


def test_an_activation_that_rescales_or_comes_second_stays():
    rescaling = chain("RELU", Quantization((0.25,), (0,)))
    for one in (rescaling, chain("RELU", own=Activation.RELU6)):
        assert [op.opcode for op in lower(one).operators] == [Opcode.ADD_S8, Opcode.TABLE_S8]


def test_an_addition_takes_over_its_input():
    plan = lower(chain("RELU6"))
    left, right, output = plan.tensors
    assert output.offset in (left.offset, right.offset)
    assert plan.arena_bytes == 32


def test_an_input_that_is_read_again_is_not_taken_over():
    tensors = [int8("x", 2, 8), int8("y", 2, 8), int8("z", 2, 8)]
    operators = [
        Operator("ADD", (0, 0), (1,), 2, Add()),
        Operator("ADD", (0, 1), (2,), 2, Add()),
    ]
    x, y, z = lower(model(tensors, operators, (0,), (2,))).tensors
    assert x.offset != y.offset
    assert z.offset in (x.offset, y.offset)


def test_an_output_that_is_asked_for_is_not_taken_over():
    tensors = [int8("x", 2, 8), int8("y", 2, 8), int8("z", 2, 8)]
    operators = [
        Operator("ADD", (0, 0), (1,), 2, Add()),
        Operator("ADD", (1, 1), (2,), 2, Add()),
    ]
    _, y, z = lower(model(tensors, operators, (0,), (1, 2))).tensors
    assert y.offset != z.offset


def test_a_reshape_is_another_view_of_the_same_bytes():
    plan = lower(conv_model())
    assert [one.opcode for one in plan.operators] == [Opcode.CONV_2D_S8, Opcode.SOFTMAX_S8]
    _, conv, flat, out = plan.tensors
    assert conv.offset == flat.offset == out.offset


def test_a_reshaped_constant_is_a_constant():
    tensors = [
        int8("x", 2, 4),
        int8("c", 8, data=bytes(range(8))),
        Tensor("shape", (2,), DType.INT32, None, np.array([2, 4], "<i4").tobytes()),
        int8("r", 2, 4),
        int8("y", 2, 4),
    ]
    operators = [
        Operator("RESHAPE", (1, 2), (3,), 1, Reshape((2, 4))),
        Operator("ADD", (0, 3), (4,), 2, Add()),
    ]
    plan = lower(model(tensors, operators, (0,), (4,)))
    x, constant, y = plan.tensors
    assert constant.place is Place.CONSTANTS
    assert plan.constants[constant.offset : constant.offset + 8] == bytes(range(8))
    assert plan.arena_bytes == 8
    assert x.offset == y.offset


def test_equal_constants_are_kept_once():
    once = lower(padded(((1, 0), (2, 1))))
    assert len(once.constants) < 100


def branches():
    """x grows and shrinks twice; as written, both grown tensors are held at once."""
    tensors = [
        int8("x", 1, 2, 2, 1),
        paddings((0, 0), (3, 3), (3, 3), (0, 0)),
        int8("grown1", 1, 8, 8, 1),
        int8("grown2", 1, 8, 8, 1),
        int8("shrunk1", 1, 1, 1, 1),
        int8("shrunk2", 1, 1, 1, 1),
        int8("y", 1, 1, 1, 1),
    ]
    pool = Pool2D(Padding.VALID, stride_h=8, stride_w=8, filter_h=8, filter_w=8)
    operators = [
        Operator("PAD", (0, 1), (2,)),
        Operator("PAD", (0, 1), (3,)),
        Operator("MAX_POOL_2D", (2,), (4,), 2, pool),
        Operator("MAX_POOL_2D", (3,), (5,), 2, pool),
        Operator("ADD", (4, 5), (6,), 2, Add()),
    ]
    return model(tensors, operators, (0,), (6,))


def test_the_order_that_needs_least_memory_is_kept():
    plan = lower(branches())
    names = [plan.tensors[one.outputs[0]].name for one in plan.operators]
    assert names == ["grown1", "shrunk1", "grown2", "shrunk2", "y"]
    assert plan.arena_bytes < 2 * 64


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=3), min_size=1, max_size=9))
def test_every_order_can_run(reads):
    tensors = [int8(f"t{number}", 1, 1 + number % 5) for number in range(len(reads) + 2)]
    operators = [
        Operator("ADD", tuple(index % (number + 2) for index in inputs), (number + 2,))
        for number, inputs in enumerate(reads)
    ]
    graph = model(tensors, operators, (0, 1), (len(reads) + 1,)).main
    for order in orders(graph):
        assert sorted(order) == list(range(len(operators)))
        there = set(graph.inputs)
        for position in order:
            assert there.issuperset(operators[position].inputs)
            there.update(operators[position].outputs)
