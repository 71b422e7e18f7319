"""Exported models under runtimes that we did not write, beside the network in float."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.exports import (
    FEATURES,
    HEAD,
    backbone,
    inputs,
    litert,
    networks,
    no_run,
    parameters,
    tflite_micro,
)
from tests.support.torch_oracle import Oracle
from toolchain.export.adapters.engine_run import EngineRun
from toolchain.export.calibration import to_real
from toolchain.export.forward import outputs
from toolchain.export.layers import layers_of
from toolchain.export.quantize import Trained, quantize
from toolchain.tflite.reader import read

SINGLE, DOUBLE = EngineRun("single"), EngineRun("double")
WORST = 0.06
"""Of the range of the outputs: of 25 networks of up to five layers the worst was 0.031 off."""


def real(values, tensor):
    return to_real(values, tensor.quantization)


@given(networks(), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_float_network_is_that_of_pytorch(network, seed):
    learned, given_ = parameters(network, seed), inputs(network, seed)
    wanted = Oracle(network, learned).outputs(given_).detach().numpy()
    found = outputs(layers_of(network, learned), given_)[-1].reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, atol=1e-4, rtol=1e-4)


@given(networks(), st.integers(0, 99))
@settings(max_examples=6, deadline=None)
def test_an_exported_network_gives_what_it_gave_and_the_same_bytes_everywhere(network, seed):
    given_ = inputs(network, seed)
    made = quantize(Trained(network, parameters(network, seed)), given_, no_run)
    found = SINGLE(made.model, made.inputs)
    np.testing.assert_array_equal(found, litert(made.model, made.inputs))
    np.testing.assert_array_equal(
        DOUBLE(made.model, made.inputs), tflite_micro(made.model, made.inputs)
    )
    off = np.abs(real(found, made.output) - made.outputs).max()
    quantum = made.output.quantization.scales[0]
    assert off <= max(WORST * np.ptp(made.outputs), 2 * quantum)


def test_a_head_behind_its_backbone_gives_what_both_gave_apart():
    frozen, learned = backbone(), parameters(HEAD, 7)
    calibration = inputs(FEATURES, 3, 200)
    made = quantize(Trained(HEAD, learned, frozen.model), calibration, SINGLE)
    found = litert(made.model, made.inputs)
    np.testing.assert_array_equal(found, SINGLE(made.model, made.inputs))
    np.testing.assert_array_equal(
        DOUBLE(made.model, made.inputs), tflite_micro(made.model, made.inputs)
    )
    features = real(litert(frozen.model, made.inputs), frozen.output)
    logits = outputs(layers_of(HEAD, learned), features)[-1].reshape(200, 4)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    wanted = powers / powers.sum(axis=1, keepdims=True)
    assert np.abs(real(found, made.output) - wanted).max() < 0.03
    names = [operator.name for operator in read(made.model).main.operators]
    kept = [operator.name for operator in read(frozen.model).main.operators]
    assert names == [*kept, "FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX"]


@pytest.mark.parametrize("exponent", [-30, -6, 3, 7])
def test_parameters_of_any_size_make_a_model_that_loads(exponent):
    """XNNPACK takes factors in a certain range only; a network may have learned anything."""
    learned = parameters(FEATURES, 4)
    learned[::3] *= np.float32(10.0**exponent)
    made = quantize(Trained(FEATURES, learned), inputs(FEATURES, 4), no_run)
    np.testing.assert_array_equal(SINGLE(made.model, made.inputs), litert(made.model, made.inputs))
