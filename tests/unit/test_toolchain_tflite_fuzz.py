"""Whatever the bytes, the reader gives a model or a one-line refusal, soon and in little memory."""

import struct
import tracemalloc

import flatbuffers
import numpy as np
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.small_models import conv_model
from toolchain.digits import quantize
from toolchain.digits.network import initial
from toolchain.errors import ModelRefused
from toolchain.inspect.report import report
from toolchain.inspect.runtimes import verdicts
from toolchain.inspect.table import text
from toolchain.tflite.model import Model
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write

IMAGES = np.random.default_rng(1).integers(0, 256, (8, 8, 8, 1), dtype=np.uint8)
CONV = write(conv_model())
DIGITS = quantize(initial(np.random.default_rng(2)), IMAGES)
VALID = st.sampled_from([CONV, DIGITS])
WORDS = st.sampled_from([0, 1, 4, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 1 << 20, 2**31 - 1, 2**31, 2**32 - 1])


def judge(data):
    """Read and describe; anything but a model or a refusal of one line falls through."""
    refusal = None
    try:
        model = read(data)
        tree = report(model, verdicts(model, {"ai_edge_litert"}))
    except ModelRefused as error:
        refusal = str(error)
    if refusal is not None:
        assert len(refusal.splitlines()) == 1
        return False
    assert isinstance(model, Model)
    assert text("fuzzed", tree)
    return True


def test_the_models_that_are_bent_here_are_right():
    assert judge(CONV)
    assert judge(DIGITS)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_random_bytes(noise, has_identifier):
    judge(noise[:4].ljust(4, b"\x08") + b"TFL3" + noise[4:] if has_identifier else noise)


@settings(max_examples=300, deadline=None)
@given(VALID, st.data())
def test_changed_bytes(data, choose):
    bent = bytearray(data)
    for _ in range(choose.draw(st.integers(1, 6))):
        bent[choose.draw(st.integers(0, len(bent) - 1))] = choose.draw(st.integers(0, 255))
    judge(bent)


@settings(max_examples=300, deadline=None)
@given(VALID, st.data())
def test_changed_words(data, choose):
    bent = bytearray(data)
    for _ in range(choose.draw(st.integers(1, 3))):
        at = 4 * choose.draw(st.integers(0, len(bent) // 4 - 1))
        struct.pack_into("<I", bent, at, choose.draw(WORDS))
    judge(bent)


@settings(max_examples=200, deadline=None)
@given(VALID, st.data())
def test_a_piece_moved_over_another(data, choose):
    bent = bytearray(data)
    start, end, at = (choose.draw(st.integers(0, len(bent))) for _ in range(3))
    bent[at : at + end - start] = data[start:end]
    judge(bent)


def test_every_truncation_is_refused():
    # The writer puts constants last, so that a cut anywhere takes something that is needed.
    for length in range(0, len(CONV) - 4, 3):
        with pytest.raises(ModelRefused):
            read(CONV[:length])


def test_a_small_file_that_unfolds_without_end_is_refused_in_bounded_memory():
    bomb = many_tensors_of_one_vector(tensors=10_000, channels=50_000)
    tracemalloc.start()
    try:
        with pytest.raises(ModelRefused, match="unfolds to more than"):
            read(bomb)
        assert tracemalloc.get_traced_memory()[1] < 256 << 20
    finally:
        tracemalloc.stop()


def test_a_graph_too_large_to_plan_is_refused():
    with pytest.raises(ModelRefused, match="more than the limit of"):
        read(many_tensors_of_one_vector(tensors=100_000, channels=1))


def many_tensors_of_one_vector(tensors, channels):
    builder = flatbuffers.Builder(1 << 20)
    shape = builder.CreateNumpyVector(np.array([channels], "<i4"))
    scale = builder.CreateNumpyVector(np.ones(channels, "<f4"))
    zero_point = builder.CreateNumpyVector(np.zeros(channels, "<i8"))
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scale)
    tflite.QuantizationParametersAddZeroPoint(builder, zero_point)
    quantization = tflite.QuantizationParametersEnd(builder)
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddQuantization(builder, quantization)
    tensor = tflite.TensorEnd(builder)
    tables = offsets(builder, [tensor] * tensors)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tables)
    graphs = offsets(builder, [tflite.SubGraphEnd(builder)])
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddSubgraphs(builder, graphs)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def offsets(builder, positions):
    builder.StartVector(4, len(positions), 4)
    for position in positions:
        builder.PrependUOffsetTRelative(position)
    return builder.EndVector()
