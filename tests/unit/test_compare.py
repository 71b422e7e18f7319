"""What `compare` shows, counts and says, without any runtime."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.small_models import conv_model
from toolchain.compare.difference import measure
from toolchain.compare.inputs import random_inputs
from toolchain.compare.report import compare, text
from toolchain.compare.reveal import Layer, reveal
from toolchain.compare.variant import parse, parse_pair
from toolchain.convert.convert import Choices
from toolchain.errors import ModelRefused
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Operator
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write

SHAPES = arrays.array_shapes(max_dims=4, max_side=5)


@pytest.mark.parametrize(
    ("word", "runtime", "choices", "delegate", "suffix"),
    [
        ("tflite", "tflite", None, "xnnpack", "tflite"),
        ("tflite:none", "tflite", None, "none", "tflite"),
        ("tflite:reference", "tflite", None, "reference", "tflite"),
        ("wasm3", "wasm3", Choices("double", "scalar"), "xnnpack", "wasm"),
        ("wasmtime:simd", "wasmtime", Choices("double", "simd"), "xnnpack", "wasm"),
        ("wasmtime:simd:single", "wasmtime", Choices("single", "simd"), "xnnpack", "wasm"),
        ("host:single", "host", Choices("single", "portable"), "xnnpack", "plan"),
    ],
)
def test_a_word_names_a_side(word, runtime, choices, delegate, suffix):
    found = parse(word, "double")
    assert (found.name, found.runtime, found.choices) == (word, runtime, choices)
    assert (found.delegate, found.suffix) == (delegate, suffix)


def test_the_option_for_rounding_is_what_a_word_does_not_say():
    a, b = parse_pair("host, wasm3:double", "single")
    assert (a.choices.rounding, b.choices.rounding) == ("single", "double")


@pytest.mark.parametrize(
    "word",
    [
        *("", "tflite", "host", "a,b,c", "host,", "cpu,host", "tflite:simd,host"),
        *("host:simd,host", "wasm3:simd,host", "host:single:single,host", "tflite:none:none,host"),
        "wasmtime:portable,host",
    ],
)
def test_other_words_are_refused_in_one_line(word):
    with pytest.raises(ValueError, match=r"name two|is not tflite|has no option") as told:
        parse_pair(word, "double")
    assert "\n" not in str(told.value)


def test_every_activation_becomes_an_output_in_the_order_of_execution():
    model = conv_model()
    revealed, layers = reveal(model)
    made = [index for one in model.main.operators for index in one.outputs]
    assert [layer.tensor for layer in layers] == made == list(revealed.main.outputs)
    assert [layer.name for layer in layers] == [model.main.tensors[i].name for i in made]
    assert [revealed.main.tensors[one.tensor].name for one in layers] == [x.key for x in layers]
    again = read(write(revealed)).main
    assert again.outputs == revealed.main.outputs
    assert again.operators == model.main.operators


def test_what_hangs_on_constants_only_is_left_out():
    model = conv_model()
    graph = model.main
    tensors = (*graph.tensors, replace(graph.tensors[1], name="copy", data=None))
    copy = Operator("RESHAPE", (1,), (len(graph.tensors),))
    changed = replace(graph, tensors=tensors, operators=(copy, *graph.operators))
    _, layers = reveal(replace(model, graphs=(changed,)))
    assert "copy" not in [layer.name for layer in layers]
    assert layers[0].operator == 1


def test_a_model_with_nothing_to_see_is_refused():
    model = conv_model()
    bare = Graph(model.main.tensors, (), model.main.inputs, model.main.inputs)
    with pytest.raises(ModelRefused, match="no operator makes a tensor"):
        reveal(replace(model, graphs=(bare,)))


@given(st.data(), SHAPES, st.integers(0, 3))
def test_integers_are_counted_as_numpy_would(data, shape, tolerance):
    left, right = (data.draw(arrays.arrays(np.int8, shape)) for _ in range(2))
    found = measure(left, right, tolerance)
    distance = np.abs(left.astype(int) - right.astype(int))
    assert found.count == (distance > tolerance).sum()
    assert (found.max_abs, found.mean_abs) == (distance.max(), distance.mean())
    if found.first is None:
        assert found.count == 0
    else:
        position, a, b = found.first
        assert (left[position], right[position]) == (a, b)
        earlier = np.ravel_multi_index(position, shape)
        assert (distance.ravel()[:earlier] <= tolerance).all()


@given(st.data(), SHAPES)
def test_floats_may_be_anything(data, shape):
    floats = arrays.arrays(np.float32, shape, elements=st.floats(width=32))
    left, right = data.draw(floats), data.draw(floats)
    assert measure(left, left.copy(), 0.0).count == 0
    found = measure(left, right, 0.0)
    equal = (left == right) | (np.isnan(left) & np.isnan(right))
    assert found.count == (~equal).sum()
    assert found.max_abs >= 0
    assert found.mean_abs >= 0


def test_a_nan_where_a_number_is_differs_whatever_the_tolerance():
    found = measure(np.array([1.0, np.nan]), np.array([1.0, 2.0]), 1e9)
    assert (found.count, found.max_abs) == (1, np.inf)
    layers = [Layer(0, "x", 0, "CONV_2D")]
    tree = compare(layers, {"t0": np.array([np.nan])}, {"t0": np.array([2.0])}, 0.0)
    assert tree["layers"][0]["max_abs"] is None
    assert tree["layers"][0]["first"] == {"position": [0], "values": [None, 2]}


def test_an_empty_tensor_equals_itself():
    assert measure(np.zeros((0, 3)), np.zeros((0, 3)), 0.0).count == 0


def test_the_report_names_the_first_of_several():
    layers = [Layer(index, f"name\x1b{index}", index, "ADD") for index in range(3)]
    left = {layer.key: np.zeros((2, 2), np.int8) for layer in layers}
    right = left | {"t1": np.array([[0, 0], [3, -1]], np.int8), "t2": np.ones((2, 2), np.int8)}
    tree = compare(layers, left, right, 0.0)
    assert not tree["equal"]
    assert tree["first_difference"]["tensor"] == 1
    assert tree["first_difference"]["first"] == {"position": [1, 0], "values": [0, 3]}
    assert [row["differing"] for row in tree["layers"]] == [0, 2, 4]
    lines = text(tree | {"runtimes": [{"name": "a"}, {"name": "b"}], "tolerance": 0.0})
    assert lines.startswith(
        r"a and b differ from tensor 1 on, which operator 1 (ADD) makes: name\x1b1"
    )
    assert "at most by 3, on average by 1" in lines
    assert "tensors before it: 1, all equal" in lines
    near = compare(layers, left, right, 3.0)
    assert near["equal"]
    said = text(near | {"runtimes": [{"name": "a"}, {"name": "b"}], "tolerance": 3.0})
    assert said.startswith("no difference by more than 3 between a and b: 3 tensors, 12 values")


@pytest.mark.parametrize(
    "other", [{}, {"t0": np.zeros((2, 1), np.int8)}, {"t0": np.zeros(2, np.uint8)}]
)
def test_what_cannot_be_compared_is_refused(other):
    with pytest.raises(ModelRefused, match=r"tensor 0 \(x\): the runtimes gave int8\[2\] and"):
        compare([Layer(0, "x", 0, "ADD")], {"t0": np.zeros(2, np.int8)}, other, 0.0)


def test_random_inputs_come_again_from_the_same_seed():
    graph = conv_model().main
    first, again, other = (random_inputs(graph, seed)["in"] for seed in (7, 7, 8))
    assert first.shape == (1, 4, 4, 2)
    assert first.dtype == np.int8
    assert (first == again).all()
    assert (first != other).any()


def test_an_input_of_another_type_is_asked_for():
    graph = conv_model().main
    odd = (replace(graph.tensors[0], dtype=DType.INT32), *graph.tensors[1:])
    with pytest.raises(ModelRefused, match="bring values for it with --input"):
        random_inputs(replace(graph, tensors=odd), 0)
