"""Ranking, threshold, hysteresis and debounce of a classifier, against plain definitions."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.processing import ClassifyPostprocess
from agent.errors import ConfigError
from agent.pipeline.postprocess import build_postprocessor
from agent.pipeline.postprocess.bounds import MAX_RESULT_BYTES
from agent.pipeline.postprocess.latch import Latch
from agent.runtime.protocol import TensorInfo

INPUT = TensorInfo("x", (1, 4), "int8", 1.0, 0)
TENTHS = TensorInfo("y", (1, 3), "uint8", 0.1, 0)
ABC = ("a", "b", "c")


def classifier(output=TENTHS, previous=None, **settings):
    config = ClassifyPostprocess("classify", **settings)
    return build_postprocessor(config, (output,), INPUT, previous=previous)


def actives(postprocessor, *scores):
    """The active label after each result; scores in tenths."""
    trees = [postprocessor.result([np.array([row], np.uint8)], None) for row in scores]
    return [tree and tree["active"] for tree in trees]


@st.composite
def outputs(draw):
    """A tensor and what it stores."""
    dtype = draw(st.sampled_from(["int8", "uint8", "int16", "int32", "float32"]))
    count = draw(st.sampled_from([1, 2, 12, 64, 65, 300]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if dtype == "float32":
        info = TensorInfo("y", (1, count), dtype)
        return info, rng.normal(0, 3, (1, count)).astype(np.float32)
    scale, zero_point = draw(st.sampled_from([1 / 256, 0.07, 0.5])), draw(st.integers(-5, 5))
    limits = np.iinfo(dtype)
    bounds = max(limits.min, -400), min(limits.max, 400)
    stored = rng.integers(*bounds, (1, count), endpoint=True).astype(dtype)
    return TensorInfo("y", (1, count), dtype, scale, zero_point), stored


@settings(max_examples=150)
@given(outputs(), st.sampled_from(["none", "softmax", "sigmoid"]), st.integers(1, 6))
def test_top_k_is_that_of_float64(output, activation, top_k):
    info, stored = output
    real = stored[0].astype(np.float64)
    if info.scale:
        real = info.scale * (real - info.zero_point)
    if activation == "softmax":
        real = np.exp(real - real.max()) / np.exp(real - real.max()).sum()
    elif activation == "sigmoid":
        real = 1 / (1 + np.exp(-real))
    postprocessor = classifier(info, activation=activation, top_k=top_k)
    top = postprocessor.result([stored], None)["top"]
    order = sorted(range(len(real)), key=lambda index: (-int(stored[0, index]), index))
    if info.dtype != "float32":
        assert [entry["index"] for entry in top] == order[:top_k]
    assert len(top) == min(top_k, len(real))
    for entry, best in zip(top, np.sort(real)[::-1], strict=False):
        assert entry["score"] == pytest.approx(real[entry["index"]], abs=1e-4, rel=1e-5)
        assert entry["score"] == pytest.approx(best, abs=1e-4, rel=1e-5)
        assert entry["label"] == str(entry["index"])


def test_the_first_of_equals_is_best():
    for count in (3, 200):
        info = TensorInfo("y", (1, count), "int8", 0.01, 0)
        stored = np.full((1, count), 5, np.int8)
        for top_k in (1, 3):
            top = classifier(info, top_k=top_k).result([stored], None)["top"]
            assert [entry["index"] for entry in top] == list(range(top_k))


def test_threshold_is_reached_by_the_reported_score():
    assert actives(classifier(labels=ABC), [0, 4, 1], [0, 5, 1], [6, 5, 1], [0, 0, 0]) == [
        None,
        "b",
        "a",
        None,
    ]


def test_release_holds_a_label_until_it_is_weak():
    postprocessor = classifier(labels=ABC, threshold=0.7, release=0.3)
    rows = [6, 0, 0], [7, 0, 0], [3, 6, 0], [2, 6, 0], [0, 7, 0], [8, 6, 0]
    assert actives(postprocessor, *rows) == [None, "a", "a", None, "b", "a"]


def test_a_change_counts_only_after_enough_in_a_row():
    postprocessor = classifier(labels=ABC, debounce=3)
    a, b, none = [9, 0, 0], [0, 9, 0], [0, 0, 0]
    rows = a, a, none, a, a, a, b, b, a, b, b, b, none, b, none, none, none
    expected = [None] * 5 + ["a"] * 6 + ["b"] * 5 + [None]
    assert actives(postprocessor, *rows) == expected


def test_changes_only():
    postprocessor = classifier(labels=ABC, report="change")
    a, none = [9, 0, 0], [0, 0, 0]
    row = np.array([none], np.uint8)
    assert postprocessor.result([row], None)["active"] is None  # the first state is news
    assert actives(postprocessor, none, a, a, none) == [None, "a", None, None]
    assert postprocessor.result([row], None) is None


def test_a_new_threshold_keeps_what_is_active():
    before = classifier(labels=ABC, report="change")
    actives(before, [6, 0, 0])
    after = classifier(labels=ABC, threshold=0.8, release=0.5, report="change", previous=before)
    assert actives(after, [6, 0, 0]) == [None]  # still active, so no news
    assert after.result([np.array([[4, 0, 0]], np.uint8)], None)["active"] is None
    other = classifier(labels=("p", "q", "r"), threshold=0.8, release=0.5, previous=before)
    assert actives(other, [6, 0, 0]) == [None]


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 4))
def test_latch_is_its_definition(wanted, debounce):
    """A state holds until another one was wanted `debounce` times in a row."""
    latch, state = Latch(0, debounce, fresh=False), 0
    for position, want in enumerate(wanted):
        last = wanted[max(0, position + 1 - debounce) : position + 1]
        changes = want != state and len(last) == debounce and set(last) == {want}
        assert latch.step(want) == changes
        state = want if changes else state
        assert latch.state == state


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("activation", ["none", "softmax", "sigmoid"])
@pytest.mark.filterwarnings("error")
def test_nan_and_infinity_are_told_and_change_nothing(broken, activation):
    info = TensorInfo("y", (1, 3), "float32")
    good, bad = np.array([[9, 0, 0]], np.float32), np.array([[0, 9, broken]], np.float32)
    postprocessor = classifier(info, labels=ABC, activation=activation, report="change")
    assert postprocessor.result([good], None)["active"] == "a"
    told = postprocessor.result([bad], None)
    assert told == {"task": "classify", "top": [], "active": "a", "finite": False}
    assert postprocessor.result([bad], None) is None
    assert postprocessor.result([good], None)["active"] == "a"  # finite again: news
    assert postprocessor.result([good], None) is None


@pytest.mark.filterwarnings("error")
def test_the_widest_floats_do_not_overflow():
    info = TensorInfo("y", (1, 2), "float32")
    widest = np.array([[3.4e38, -3.4e38]], np.float32)
    for activation in ("none", "softmax", "sigmoid"):
        tree = classifier(info, activation=activation, top_k=2).result([widest], None)
        assert "Infinity" not in json.dumps(tree)
        assert "-0.0" not in json.dumps(tree)


def test_of_several_outputs_the_one_with_a_value_for_each_label_counts():
    features, scores = TensorInfo("f", (1, 64), "int8", 1.0, 0), TENTHS
    config = ClassifyPostprocess("classify", labels=ABC)
    postprocessor = build_postprocessor(config, (features, scores), INPUT)
    row = [np.zeros((1, 64), np.int8), np.array([[0, 9, 0]], np.uint8)]
    assert postprocessor.result(row, None)["active"] == "b"


@settings(max_examples=30)
@given(st.lists(st.text(max_size=128), min_size=100, max_size=120), st.integers(1, 100))
def test_no_result_exceeds_the_bound(labels, top_k):
    info = TensorInfo("y", (1, len(labels)), "float32")
    stored = np.random.default_rng(len(labels)).uniform(-3e38, 3e38, (1, len(labels)))
    settings = {"labels": tuple(labels), "threshold": 0.0}
    while top_k:
        with suppress(ConfigError):
            postprocessor = classifier(info, top_k=top_k, **settings)
            tree = postprocessor.result([stored.astype(np.float32)], None)
            assert len(json.dumps(tree, separators=(",", ":"))) <= MAX_RESULT_BYTES
            break
        top_k //= 2
    assert top_k


@pytest.mark.parametrize(
    ("settings", "output", "said"),
    [
        ({"labels": ("a",)}, TENTHS, "1 labels, but the model's output 'y' is uint8"),
        ({"labels": ABC, "release": 0.6}, TENTHS, "0.6 exceeds the threshold 0.5"),
        ({}, TensorInfo("y", (1, 3), "complex64"), "results are read from float32"),
        ({}, TensorInfo("y", (1, 0), "int8"), "0 labels"),
        ({"labels": ("é" * 128,) * 100, "top_k": 100}, TensorInfo("y", (100,), "int8"), "bytes"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, output, said):
    with pytest.raises(ConfigError, match=said) as refusal:
        classifier(output, **settings)
    assert "\n" not in str(refusal.value)
