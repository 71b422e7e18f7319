"""Anomaly and regression: errors and numbers against float64."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.processing import AnomalyPostprocess, RegressPostprocess
from agent.errors import ConfigError
from agent.pipeline.postprocess import build_postprocessor
from agent.runtime.protocol import TensorInfo

FLOATS = TensorInfo("y", (1, 4), "float32")


def anomaly(output=FLOATS, model_input=FLOATS, previous=None, **settings):
    config = AnomalyPostprocess("anomaly", **settings)
    return build_postprocessor(config, (output,), model_input, previous=previous)


def row(error: float) -> list[np.ndarray]:
    """An output whose mean squared error against zeros is `error`."""
    return [np.full((1, 4), np.sqrt(error), np.float32)]


ZEROS = np.zeros((1, 4), np.float32)


def states(postprocessor, *errors):
    trees = [postprocessor.result(row(error), ZEROS) for error in errors]
    return [tree and tree["anomalous"] for tree in trees]


@settings(max_examples=60)
@given(
    st.sampled_from(["mse", "mae"]),
    st.sampled_from(["int8", "uint8", "int16", "float32"]),
    st.sampled_from(["int8", "uint8", "int16", "float32"]),
    st.integers(0, 9999),
)
def test_error_is_that_of_float64(error, type_in, type_out, seed):
    rng = np.random.default_rng(seed)
    reals, infos, stored = [], [], []
    for dtype in (type_in, type_out):
        scale, zero_point = (0.0, 0) if dtype == "float32" else (0.39, 5)
        infos.append(TensorInfo("t", (1, 640), dtype, scale, zero_point))
        values = rng.integers(0, 127, (1, 640)).astype(dtype)
        stored.append(values)
        reals.append((values.astype(float) - zero_point) * (scale or 1.0))
    difference = reals[1] - reals[0]
    expected = (difference**2 if error == "mse" else np.abs(difference)).mean()
    postprocessor = anomaly(infos[1], infos[0], threshold=1.0, error=error)
    assert postprocessor.needs_input
    tree = postprocessor.result([stored[1]], stored[0])
    assert tree["error"] == pytest.approx(expected, rel=2e-6, abs=1e-6)
    assert tree["anomalous"] == (tree["error"] >= 1.0)


def test_hysteresis_debounce_and_changes():
    postprocessor = anomaly(threshold=4.0, release=1.0, debounce=2)
    errors = 9.0, 0.0, 4.0, 4.0, 2.0, 0.5, 2.0, 0.5, 0.5, 2.0
    expected = [False, False, False, True, True, True, True, True, False, False]
    assert states(postprocessor, *errors) == expected
    postprocessor = anomaly(threshold=4.0, report="change")
    assert states(postprocessor, 0, 0, 9, 9, 0) == [False, None, True, None, False]


def test_a_new_threshold_keeps_the_state():
    before = anomaly(threshold=4.0)
    assert states(before, 9) == [True]
    after = anomaly(threshold=100.0, release=5.0, report="change", previous=before)
    assert states(after, 9, 4) == [None, False]
    of_another_kind = build_postprocessor(RegressPostprocess("regress"), (FLOATS,), FLOATS)
    assert states(anomaly(threshold=4.0, previous=of_another_kind), 0) == [False]


@pytest.mark.parametrize("broken", [np.nan, np.inf, 3e38])
@pytest.mark.filterwarnings("error")
def test_an_error_without_a_number_is_told_and_changes_nothing(broken):
    postprocessor = anomaly(threshold=4.0, report="change")
    assert states(postprocessor, 9) == [True]
    bad = [np.full((1, 4), broken, np.float32)]
    told = postprocessor.result(bad, ZEROS)
    assert told == {"task": "anomaly", "error": None, "anomalous": True, "finite": False}
    assert postprocessor.result(bad, ZEROS) is None
    assert states(postprocessor, 9, 9) == [True, None]


def test_models_that_reconstruct_nothing_are_refused():
    with pytest.raises(ConfigError, match="the model takes 5 values, but its output"):
        anomaly(model_input=TensorInfo("x", (1, 5), "float32"), threshold=1.0)
    with pytest.raises(ConfigError, match="2 exceeds the threshold 1"):
        anomaly(threshold=1.0, release=2.0)


def regress(*outputs, **settings):
    return build_postprocessor(RegressPostprocess("regress", **settings), outputs, FLOATS)


def test_numbers_are_scaled_and_named():
    quantized = TensorInfo("z", (1, 2), "int8", 0.5, -1)
    postprocessor = regress(
        TensorInfo("y", (1, 1), "float32"),
        quantized,
        names=("t", "u", "v"),
        scale=(10.0, 1.0, 2.0),
        offset=(1.0,),
    )
    arrays = [np.array([[2.5]], np.float32), np.array([[-1, 127]], np.int8)]
    assert postprocessor.result(arrays, None) == {
        "task": "regress",
        "values": {"t": 26.0, "u": 1.0, "v": 129.0},
    }


@given(
    st.lists(st.floats(width=32), min_size=4, max_size=4),
    st.sampled_from([1.0, -1e300, 1e308]),
)
@pytest.mark.filterwarnings("error")
def test_any_float_makes_json(values, scale):
    postprocessor = regress(FLOATS, scale=(scale,))
    stored = np.array([values], np.float32)
    tree = postprocessor.result([stored], None)
    json.dumps(tree, allow_nan=False)
    for value, told in zip(stored[0].tolist(), tree["values"].values(), strict=True):
        product = value * scale
        assert told == (pytest.approx(product, rel=1e-6) if np.isfinite(product) else None)
    assert tree.get("finite", True) == all(v is not None for v in tree["values"].values())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"names": ("a",)}, "postprocess.names: has 1 entries"),
        ({"scale": (1.0, 2.0)}, "postprocess.scale: has 2 entries"),
        ({"offset": (1.0, 2.0)}, "postprocess.offset: has 2 entries"),
        ({"names": ("a", "b", "a", "c")}, "given twice"),
        ({"names": tuple(n + "é" * 1000 for n in "abcd")}, "fewer outputs or shorter names"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        regress(FLOATS, **settings)
