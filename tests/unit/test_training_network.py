"""Descriptions of networks: what they mean, and what is refused."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.shape import to_tree
from engine.wasm.build import ENGINE
from tests.support.networks import CNN, HEAD, MIXED, NETWORKS, networks
from toolchain.errors import ModelRefused
from toolchain.training import encode as e
from toolchain.training import network as n
from toolchain.training.encode import Header, LayerRecord, encode
from toolchain.training.initial import initial_parameters
from toolchain.training.network import read_network
from toolchain.training.steps import steps_of


@given(networks)
def test_a_network_survives_json(network):
    assert read_network(to_tree(network)) == network


def test_shapes_of_layers():
    shapes = [step.output for step in steps_of(CNN)]
    assert shapes == [(28, 28, 8), (14, 14, 8), (14, 14, 16), (7, 7, 16), (1, 1, 10)]
    assert encode(CNN)[1].parameters == (9 + 1) * 8 + (72 + 1) * 16 + (784 + 1) * 10
    assert encode(HEAD)[1].parameters == 650


def test_same_padding_is_that_of_tflite():
    step = steps_of(n.Network((5, 6, 1), (n.Conv2D(1, 3, 2), n.Dense(1))))[0]
    assert (step.output, step.pad) == ((3, 3, 1), (1, 0))


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({}, "input: is missing"),
        ({"input": [3, 3], "layers": [{"kind": "dense", "units": 2}]}, "give [features]"),
        ({"input": [3], "layers": [{"kind": "lstm"}]}, "'lstm' is unknown; choose from dense"),
        ({"input": [3], "layers": [{"kind": "flatten"}]}, "no layer that computes"),
        ({"input": [4, 4, 1], "layers": [{"kind": "max_pool2d"}]}, "ends with 2×2 pixels"),
        ({"input": [4, 4, 1], "layers": [{"kind": "max_pool2d", "window": 4}]}, "nothing in it"),
        (
            {"input": [2, 4, 1], "layers": [{"kind": "max_pool2d", "window": 3}]},
            "layer 0 (max_pool2d): a window of 3 does not fit into 2",
        ),
        ({"input": [40000, 1, 1], "layers": [{"kind": "dense", "units": 2}]}, "at most 32767"),
        ({"input": [1 << 20], "layers": [{"kind": "dense", "units": 1 << 20}]}, "more than 268435"),
        (
            {"input": [1 << 14], "layers": [{"kind": "dense", "units": 1 << 13}]},
            "a module has at most 2 GiB",
        ),
        ({"input": [3], "layers": []}, "layers"),
        ({"input": [3], "layers": [{"kind": "dense", "units": 0}]}, "units"),
        ({"input": [3], "layers": [{"kind": "dense", "units": 1}], "batch": 0}, "batch"),
        ([], "must be an object"),
    ],
)
def test_what_is_refused(tree, text):
    with pytest.raises(ModelRefused) as told:
        encode(read_network(tree))
    assert text in str(told.value)
    assert "\n" not in str(told.value)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["input", "layers", "loss", "kind", "units", "batch"]), x
            )
        ),
    )
)
def test_anything_else_is_refused_in_one_line(tree):
    with pytest.raises(ModelRefused):
        read_network(tree)


def test_records_are_those_of_the_engine():
    header = (ENGINE / "training" / "network.h").read_text()
    for record, name in ((Header, "sv_network"), (LayerRecord, "sv_layer")):
        body = header.split(f"struct SV_MAY_ALIAS {name} {{")[1].split("}")[0]
        words = [line.split(";")[0].split()[-1] for line in body.splitlines() if ";" in line]
        assert words == [field.name for field in dataclasses.fields(record)]
    assert (e.HEADER_BYTES, e.LAYER_BYTES) == (48, 28)


def test_initial_parameters_are_the_same_bytes_everywhere():
    first = initial_parameters(MIXED, 7)
    assert first.dtype == np.float32
    assert first[:4].tobytes().hex() == "1dea133eded5ea3eb9fca23e9975a2be"
    assert (initial_parameters(MIXED, 7) == first).all()
    assert (initial_parameters(MIXED, 8) != first).any()


def test_initial_parameters_have_the_limits_of_he_and_of_glorot():
    network = n.Network((50,), (n.Dense(400, activation="relu"), n.Dense(100)))
    drawn = initial_parameters(network, 1)
    hidden, last = drawn[:20000], drawn[20400:60400]
    for weights, limit in ((hidden, math.sqrt(6 / 50)), (last, math.sqrt(6 / 500))):
        assert 0.99 * limit < np.abs(weights).max() <= np.float32(limit)
        assert weights.std() == pytest.approx(limit / math.sqrt(3), rel=0.02)
    assert not drawn[20000:20400].any()
    assert not drawn[60400:].any()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_initial_parameters_are_as_many_as_the_network_has(network):
    assert len(initial_parameters(network, 0)) == encode(network)[1].parameters
