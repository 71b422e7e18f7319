"""Exports without a runtime: scales that fit, calibrations and backbones that do not."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.exports import (
    FEATURES,
    HEAD,
    backbone,
    inputs,
    networks,
    no_run,
    parameters,
)
from tests.support.npy import npy
from tests.support.small_models import with_graph, with_tensor
from toolchain.errors import ModelRefused
from toolchain.export import scales
from toolchain.export.calibration import MAX_INPUTS, noise, read_npy, real_inputs
from toolchain.export.quantize import Trained, quantize
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Quantization, Tensor
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write
from toolchain.training.network import Conv2D, Dense, MaxPool2D, Network

UNIT = Quantization((1 / 255,), (-128,))
ROUGH = st.floats(-(2.0**40), 2.0**40, width=32) | st.sampled_from([0.0, 1e-38, -1e-30, 1e12])


@given(networks(), st.integers(0, 99))
@settings(max_examples=25)
def test_every_tensor_is_an_integer_and_the_file_reads_back(network, seed):
    given_ = inputs(network, seed, 5)
    made = quantize(Trained(network, parameters(network, seed)), given_, no_run)
    graph = read(made.model).main
    assert {tensor.dtype for tensor in graph.tensors} <= {DType.INT8, DType.INT32}
    assert graph.tensors[graph.inputs[0]].shape == (1, *network.input)
    assert graph.tensors[graph.outputs[0]].shape == (1, made.outputs.shape[1])
    assert made.inputs.shape == given_.shape


def test_weights_of_windows_have_a_scale_a_channel_and_dense_ones_one():
    network = Network((6, 6, 1), (Conv2D(4, 3), MaxPool2D(), Dense(3)))
    graph = read(
        quantize(Trained(network, parameters(network, 1)), inputs(network, 1), no_run).model
    ).main
    names = [operator.name for operator in graph.operators]
    assert names == ["CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    held = {tensor.name: tensor.quantization for tensor in graph.tensors}
    assert len(held["layer0/weights"].scales) == 4
    assert len(held["layer2/weights"].scales) == 1
    probabilities = graph.tensors[graph.outputs[0]].quantization
    assert (probabilities.scales, probabilities.zero_points) == ((1 / 256,), (-128,))


@given(
    weights=st.lists(ROUGH, min_size=3, max_size=3),
    bias=ROUGH,
    low=st.floats(-(2.0**60), 0, width=32),
    high=st.floats(0, 2.0**60, width=32),
)
def test_whatever_was_learned_bias_and_factor_fit(weights, bias, low, high):
    kernel, offset = np.array([weights], np.float32), np.array([bias], np.float32)
    steps = scales.weight_scales(kernel, offset, UNIT, by_channel=True)
    output = scales.output_scale(low, high, UNIT, steps)
    steps = scales.coarsened(steps, UNIT, output)
    assert all(np.isfinite(one) and one > 0 for one in (*steps.scales, *output.scales))
    assert abs(float(bias)) / (UNIT.scales[0] * steps.scales[0]) < 2**30 * 1.001
    factor = UNIT.scales[0] * steps.scales[0] / output.scales[0]
    assert scales.FACTOR_MIN * 0.99 <= factor <= scales.FACTOR_MAX * 1.01
    assert -128 <= output.zero_points[0] <= 127


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no .npy file"),
        (b"\x93NUMPY\x01\x00\xff\xff", "no .npy file"),
        (pickle.dumps(np.zeros(3)), "no .npy file"),
        (npy(np.array([{"a": 1}])), "must be an array of float32"),
        (npy(np.zeros((2, 36)))[:-8], "claims 576 bytes of numbers and holds 568"),
        (npy(np.zeros(1)).replace(b"(1,)", b"(9999999999,)"), "no .npy|claims"),
        (npy(np.zeros((2, 36), np.int32)), "must be an array of float32"),
        (npy(np.zeros((2, 36), np.complex64)), "must be an array of float32"),
    ],
)
def test_a_calibration_that_is_no_array_is_refused(data, why):
    with pytest.raises(ModelRefused, match=why):
        read_npy(data)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_any_bytes_are_an_array_or_refused(data, cut):
    good = npy(np.zeros((3, 4), np.float32))
    for mixed in (data, good[:cut] + data, good[:10] + data + good[10:]):
        refusal = ""
        try:
            read_npy(mixed)
        except ModelRefused as error:
            refusal = str(error)
        assert "\n" not in refusal


@pytest.mark.parametrize(
    ("array", "scale", "why"),
    [
        (np.zeros((0, 36), np.float32), None, "1 to 4096 inputs of 36"),
        (np.zeros((MAX_INPUTS + 1, 36), np.float32), None, "1 to 4096 inputs"),
        (np.zeros((2, 35), np.float32), None, "inputs of 36 numbers"),
        (np.float32(1), None, "inputs of 36 numbers"),
        (np.full((2, 36), np.nan, np.float32), None, "not finite"),
        (np.full((2, 36), 1e300), None, "not finite"),
        (np.zeros((2, 36), np.int8), None, "int8 needs an input scale"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(array, scale, why):
    with pytest.raises(ModelRefused, match=why), np.errstate(over="ignore"):
        real_inputs(np.asarray(array), (6, 6, 1), scale)


def test_integers_and_reals_calibrate_alike():
    real = np.linspace(0, 1, 72, dtype=np.float32).reshape(2, 36)
    stored = (np.rint(real * 255) - 128).astype(np.int8)
    apart = real_inputs(stored, (36,), UNIT) - real_inputs(real, (36,), None)
    assert np.abs(apart).max() <= 0.5 / 255 + 1e-6


def test_noise_is_the_same_everywhere_and_stays_in_the_range():
    seen = noise((4, 4, 2), Quantization((0.5,), (3,)))
    assert seen.tobytes() == noise((4, 4, 2), Quantization((0.5,), (3,))).tobytes()
    assert -65.5 <= seen.min() < -50
    assert 50 < seen.max() <= 62.0


def test_parameters_that_are_not_finite_or_of_another_number_are_refused():
    wrong = parameters(FEATURES, 1)
    with pytest.raises(ModelRefused, match="parameters, the vector"):
        quantize(Trained(FEATURES, wrong[:-1]), None, no_run)
    for number in (np.inf, np.nan, 1e30):
        wrong[5] = number
        with pytest.raises(ModelRefused, match="not finite"):
            quantize(Trained(FEATURES, wrong), None, no_run)
    deep = Network((4,), (Dense(4), Dense(4), Dense(4)))
    with pytest.raises(ModelRefused, match="layer 1 go beyond"):
        quantize(Trained(deep, np.full(60, 2.0**39, np.float32)), None, no_run)
    tiny = Trained(FEATURES, parameters(FEATURES, 1), None, Quantization((1e-30,), (0,)))
    with pytest.raises(ModelRefused, match="input scale: must be"):
        quantize(tiny, None, no_run)


def bent(change) -> bytes:
    """The backbone with a tensor of its ends changed."""
    return write(change(read(backbone().model)))


def float_input(model):
    return with_tensor(model, model.main.inputs[0], dtype=DType.FLOAT32, quantization=None)


def per_channel_features(model):
    many = Quantization((0.5,) * 12, (0,) * 12, 1)
    return with_tensor(model, model.main.outputs[0], quantization=many)


def two_inputs(model):
    second = Tensor("second", (1, 3), DType.INT8, UNIT)
    graph = model.main
    return with_graph(
        model, tensors=(*graph.tensors, second), inputs=(graph.inputs[0], len(graph.tensors))
    )


def batch_of_two(model):
    return with_tensor(model, model.main.inputs[0], shape=(2, 6, 6, 1))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (float_input, "its input 'input' are float32"),
        (per_channel_features, "its features"),
        (two_inputs, "one input"),
        (batch_of_two, "backbone"),
    ],
)
def test_a_backbone_that_no_head_can_use_is_refused(change, why):
    trained = Trained(HEAD, parameters(HEAD, 2), bent(change))
    with pytest.raises(ModelRefused, match=why):
        quantize(trained, None, no_run)


def test_a_backbone_of_other_features_or_scale_is_refused():
    other = Network((13,), (Dense(4),))
    with pytest.raises(ModelRefused, match="gives 12 features, the network takes 13"):
        quantize(Trained(other, parameters(other, 2), backbone().model), None, no_run)
    trained = Trained(HEAD, parameters(HEAD, 2), backbone().model, Quantization((0.25,), (0,)))
    with pytest.raises(ModelRefused, match="leave it out"):
        quantize(trained, None, no_run)


@given(st.data())
@settings(max_examples=60)
def test_a_damaged_backbone_is_taken_or_refused_in_a_line(data):
    good = bytearray(backbone().model)
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    trained = Trained(HEAD, parameters(HEAD, 2), bytes(good))
    refusal = ""
    try:
        quantize(trained, inputs(FEATURES, 1), lambda _, given: np.zeros((len(given), 12), np.int8))
    except ModelRefused as error:
        refusal = str(error)
    assert "\n" not in refusal
