"""Models that say untrue things about themselves are refused, in one line that names the place."""

import math
import struct
from dataclasses import replace

import flatbuffers
import pytest
import tflite

from broker.contract.exit_code import ExitCode
from tests.support.small_models import (
    activations,
    conv_model,
    with_graph,
    with_operator,
    with_tensor,
)
from toolchain.errors import ModelRefused
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Signature
from toolchain.tflite.options import (
    Add,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Pool2D,
    TransposeConv,
)
from toolchain.tflite.reader import read
from toolchain.tflite.slots import Padding
from toolchain.tflite.writer import write

RIGHT = conv_model()
SAME_1 = Conv2D(Padding.SAME, 1, 1)
INT8 = Quantization((0.5,), (0,))


def graph_of(shapes, *operators, inputs=(0,), outputs=None, dtype=DType.INT8):
    outputs = (len(shapes) - 1,) if outputs is None else outputs
    return Model((Graph(activations(shapes, dtype), operators, inputs, outputs),))


def one(name, options, *shapes):
    """One operator from all shapes but the last, which are inputs of the graph, to the last."""
    count = len(shapes) - 1
    operator = Operator(name, tuple(range(count)), (count,), 1, options)
    return graph_of(shapes, operator, inputs=tuple(range(count)))


LIES = {
    "negative dimension": (with_tensor(RIGHT, 3, shape=(1, -2, 2, 3)), "tensor 3: shape"),
    "rank": (with_tensor(RIGHT, 3, shape=(1,) * 9), "tensor 3: a list of 9 values"),
    "huge": (with_tensor(RIGHT, 0, shape=(1 << 30, 1 << 30)), "tensor 0: .* bytes"),
    "short buffer": (with_tensor(RIGHT, 1, data=b"abc"), r"tensor 1: int8\[3, 3, 3, 2\] needs 54"),
    "long buffer": (with_tensor(RIGHT, 2, data=bytes(13)), "needs 12 bytes, its buffer has 13"),
    "zero points": (
        with_tensor(RIGHT, 3, quantization=Quantization((1.0,), ())),
        "tensor 3 quantization: 1 scales, 0 zero points",
    ),
    "channel count": (
        with_tensor(RIGHT, 1, quantization=Quantization((1.0, 1.0), (0, 0))),
        "2 scales do not fit",
    ),
    "axis": (with_tensor(RIGHT, 3, quantization=Quantization((1.0,), (0,), axis=4)), "axis 4 of"),
    "scale": (
        with_tensor(RIGHT, 3, quantization=Quantization((math.nan,), (0,))),
        "tensor 3 quantization: a scale is",
    ),
    "negative scale": (
        with_tensor(RIGHT, 3, quantization=Quantization((-1.0,), (0,))),
        "tensor 3 quantization: a scale is",
    ),
    "input index": (
        with_operator(RIGHT, 0, inputs=(0, 1, 7)),
        r"operator 0 \(CONV_2D\): tensor 7 of 7 does not exist",
    ),
    "negative index": (with_operator(RIGHT, 0, inputs=(0, 1, -2)), "tensor -2 of 7"),
    "output index": (with_operator(RIGHT, 0, outputs=(-1,)), "tensor -1 of 7"),
    "graph input": (with_graph(RIGHT, inputs=(9,)), "graph 0: tensor 9 of 7"),
    "graph output": (with_graph(RIGHT, outputs=(-1,)), "graph 0: tensor -1 of 7"),
    "twice an input": (with_graph(RIGHT, inputs=(0, 0)), "listed twice"),
    "constant input": (with_graph(RIGHT, inputs=(0, 1)), "tensor 1: is an input"),
    "unsorted": (
        with_graph(RIGHT, operators=RIGHT.main.operators[::-1]),
        r"operator 0 \(SOFTMAX\): reads tensor 5, which no earlier operator makes",
    ),
    "cycle": (
        graph_of([(2,)] * 3, Operator("ADD", (0, 2), (1,), 1, Add()), Operator("RELU", (1,), (2,))),
        r"operator 0 \(ADD\): reads tensor 2",
    ),
    "itself": (graph_of([(2,)] * 2, Operator("RELU", (1,), (1,))), "reads tensor 1"),
    "made twice": (
        graph_of([(2,)] * 2, Operator("RELU", (0,), (1,)), Operator("TANH", (0,), (1,))),
        r"operator 1 \(TANH\): writes tensor 1",
    ),
    "writes the input": (graph_of([(2,)], Operator("RELU", (0,), (0,))), "writes tensor 0"),
    "writes a constant": (with_operator(RIGHT, 0, outputs=(1,)), "writes tensor 1"),
    "output never made": (graph_of([(2,)] * 2), "tensor 1: is an output of the graph"),
    "no graph": (Model(()), "model: has no graph"),
    "signature's graph": (
        replace(RIGHT, signatures=(Signature("s", 3, (), ()),)),
        "signature 0: graph 3 of 1",
    ),
    "signature's tensor": (
        replace(RIGHT, signatures=(Signature("s", 0, (("x", 70),), ()),)),
        "signature 0 argument 0: tensor 70 of 7",
    ),
    "no weights": (with_operator(RIGHT, 0, inputs=(0,)), "lacks input 1"),
    "weights left out": (with_operator(RIGHT, 0, inputs=(0, -1)), "lacks input 1"),
    "two outputs": (
        graph_of([(2,)] * 3, Operator("RELU", (0,), (1, 2))),
        "has 2 outputs, not 1",
    ),
    "stride 0": (with_operator(RIGHT, 0, options=Conv2D(stride_w=1)), "is not positive"),
    "dilation": (
        with_operator(RIGHT, 0, options=replace(SAME_1, dilation_h=-1)),
        "is not positive",
    ),
    "padding": (with_operator(RIGHT, 0, options=SAME_1), r"\[1, 2, 2, 3\], but \[1, 4, 4, 3\]"),
    "bias": (with_tensor(RIGHT, 2, shape=(3, 1), quantization=None, data=bytes(12)), None),
    "short bias": (
        with_tensor(RIGHT, 2, shape=(2,), quantization=None, data=bytes(8)),
        "a bias of 2 values for 3 channels",
    ),
    "conv channels": (one("CONV_2D", SAME_1, (1, 4, 4, 3), (5, 1, 1, 2), (1, 4, 4, 5)), "3 chan"),
    "conv rank": (one("CONV_2D", SAME_1, (4, 4, 3), (5, 1, 1, 3), (1, 4, 4, 5)), "4 dimensions"),
    "depthwise": (
        one("DEPTHWISE_CONV_2D", DepthwiseConv2D(), (1, 4, 4, 3), (1, 1, 1, 4), (1, 4, 4, 4)),
        "3 channels do not go into",
    ),
    "transposed": (
        one("TRANSPOSE_CONV", TransposeConv(), (4,), (1, 2, 2, 3), (1, 4, 4, 2), (1, 4, 4, 1)),
        "2 channels do not go into",
    ),
    "dense": (one("FULLY_CONNECTED", FullyConnected(), (1, 9), (2, 4), (1, 2)), "9 values"),
    "dense output": (one("FULLY_CONNECTED", FullyConnected(), (2, 4), (3, 4), (1, 3)), "comes"),
    "empty depth": (one("FULLY_CONNECTED", FullyConnected(), (1, 0), (2, 0), (1, 2)), "0 values"),
    "pool": (
        one("MAX_POOL_2D", Pool2D(Padding.VALID, 2, 2, 2, 2), (1, 4, 4, 1), (1, 2, 3, 1)),
        "but",
    ),
    "empty window": (one("MAX_POOL_2D", Pool2D(), (1, 4, 4, 1), (1, 4, 4, 1)), "not positive"),
    "broadcast": (one("ADD", Add(), (2, 3), (2, 2), (2, 3)), "do not broadcast"),
    "join": (one("CONCATENATION", Concatenation(1), (2, 3), (3, 3), (2, 6)), "do not join"),
    "join axis": (one("CONCATENATION", Concatenation(2), (2, 3), (2, 3), (2, 6)), "axis 2"),
    "reshape": (one("RESHAPE", None, (2, 3), (7,)), "but"),
    "softmax": (one("SOFTMAX", None, (2, 3), (3, 2)), "but"),
}
FINE = {"bias"}


@pytest.mark.parametrize("name", sorted(LIES.keys() - FINE))
def test_a_lie_is_refused_where_it_stands(name):
    model, pattern = LIES[name]
    with pytest.raises(ModelRefused, match=pattern) as refusal:
        read(write(model))
    assert refusal.value.exit_code is ExitCode.MODEL
    assert "\n" not in str(refusal.value)


def test_a_bias_of_another_rank_is_fine():
    assert read(write(LIES["bias"][0])).main.tensors[2].shape == (3, 1)


def test_an_operator_with_a_dimension_known_at_run_time_only_is_not_held_to_its_shape():
    model = with_operator(RIGHT, 0, options=SAME_1)
    model = with_tensor(model, 0, signature=(1, -1, -1, 2))
    assert read(write(model)) == model


@pytest.mark.parametrize(
    ("data", "pattern"),
    [
        (b"", "the file is empty"),
        (b"\x00" * 100, "not a TFLite model: byte 4 has no 'TFL3'"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "this is a PNG image"),
        (b"PK\x03\x04" + bytes(100), "this is a zip archive"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
        (b"\x08\x00\x00\x00TFL3", "bytes 8 to 12 lie outside the file of 8 bytes"),
        (b"\xff\xff\xff\xffTFL3" + bytes(50), "lie outside the file of 58 bytes"),
    ],
)
def test_what_is_no_model_is_refused(data, pattern):
    with pytest.raises(ModelRefused, match=pattern):
        read(data)


def test_an_unknown_schema_version_is_refused():
    builder = flatbuffers.Builder()
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 4)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    with pytest.raises(ModelRefused, match="schema version 4"):
        read(bytes(builder.Output()))


def test_options_of_another_operator_are_refused():
    with pytest.raises(ModelRefused, match=r"operator 0 \(CONV_2D\): its options are those of"):
        read(write(with_operator(RIGHT, 0, options=Add())))


def test_data_in_buffer_0_is_refused():
    data = bytearray(write(RIGHT))
    root = tflite.Model.GetRootAs(data)
    vector = root._tab.Vector(root._tab.Offset(12))
    first_constant = root.Buffers(1)._tab.Pos
    struct.pack_into("<I", data, vector, first_constant - vector)
    with pytest.raises(ModelRefused, match="buffer 0"):
        read(data)


def test_a_buffer_that_does_not_exist_is_refused():
    data = bytearray(write(RIGHT))
    tensor = tflite.Model.GetRootAs(data).Subgraphs(0).Tensors(1)._tab
    struct.pack_into("<I", data, tensor.Pos + tensor.Offset(8), 99)
    with pytest.raises(ModelRefused, match="tensor 1: buffer 99 of 4 does not exist"):
        read(data)


def constant_behind(offset, size):
    """A model whose only tensor, int8 [4], is kept `size` bytes long at `offset`."""
    builder = flatbuffers.Builder()
    shape = builder.CreateNumpyVector(_ints(4))
    indices = builder.CreateNumpyVector(_ints())
    tflite.BufferStart(builder)
    buffers = [tflite.BufferEnd(builder)]
    tflite.BufferStart(builder)
    tflite.BufferAddOffset(builder, offset)
    tflite.BufferAddSize(builder, size)
    buffers.append(tflite.BufferEnd(builder))
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, DType.INT8)
    tflite.TensorAddBuffer(builder, 1)
    tensors = _offsets(builder, [tflite.TensorEnd(builder)])
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddInputs(builder, indices)
    graphs = _offsets(builder, [tflite.SubGraphEnd(builder)])
    buffers = _offsets(builder, buffers)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_constants_behind_the_flatbuffer_are_read_and_bounded():
    length = len(constant_behind(1 << 20, 4))
    assert read(constant_behind(length, 4) + b"abcd").main.tensors[0].data == b"abcd"
    with pytest.raises(ModelRefused, match="buffer 1: 4 bytes at"):
        read(constant_behind(length, 4) + b"abc")


def _ints(*values):
    import numpy as np

    return np.array(values, "<i4")


def _offsets(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()
