"""Sliding windows over sensor values, and tensors that pass through."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.processing import TensorPreprocess, VectorPreprocess
from agent.errors import ConfigError
from agent.pipeline.preprocess import build_preprocessor
from agent.pipeline.preprocess.rows import MAX_BACKLOG, RowWindow
from agent.pipeline.sample import Sample
from agent.runtime.protocol import TensorInfo


def floats(*shape: int, name: str = "x") -> TensorInfo:
    return TensorInfo(name, shape, "float32")


def windows(config, tensor, chunks) -> list[np.ndarray]:
    preprocessor = build_preprocessor(config, tensor)
    found = []
    for chunk in chunks:
        for _ in range(preprocessor.push(Sample(chunk, 0))):
            found.append(np.zeros(tensor.shape, tensor.dtype))
            preprocessor.fill(found[-1])
    return found


@given(
    st.integers(1, 12),
    st.integers(1, 20),
    st.integers(1, 3),
    st.lists(st.integers(0, 40), min_size=1, max_size=8),
)
def test_window_i_holds_the_rows_from_i_strides_on(window, stride, channels, lengths):
    total = sum(lengths)
    rows = np.arange(total * channels, dtype=np.float32).reshape(total, channels)
    chunks = np.split(rows, np.cumsum(lengths)[:-1])
    config = VectorPreprocess("vector", window=window, stride=stride)
    found = windows(config, floats(1, window, channels), chunks)
    expected = [rows[at : at + window] for at in range(0, total - window + 1, stride)]
    assert len(found) == len(expected)
    assert all(np.array_equal(ours[0], want) for ours, want in zip(found, expected, strict=True))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), max_size=12), st.data())
def test_rows_that_nobody_takes_are_dropped_from_the_front(steps, data):
    window, stride = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 9))
    rows = RowWindow(window, stride, 1, np.dtype(np.int64))
    written, start = 0, 0
    for count, takes in steps:
        backlog = rows.ready
        rows.trim()
        if backlog > MAX_BACKLOG:
            start += (backlog - MAX_BACKLOG) * stride
        if count:
            room = rows.append(count)
            room[:, 0] = np.arange(written + count - len(room), written + count)
            written += count
        for _ in range(min(takes, rows.ready)):
            out = np.zeros(window, np.int64)
            rows.take(out)
            assert out.tolist() == list(range(start, start + window))
            start += stride
        assert rows.ready == max(0, (written - start - window) // stride + 1)
        assert len(rows._rows) <= 4 * max(2 * window, (MAX_BACKLOG + 1) * stride + window + 60)


def test_single_rows_and_flat_models():
    config = VectorPreprocess("vector", window=2)
    found = windows(config, floats(1, 6), [np.array([i, 1, 2], np.float32) for i in range(3)])
    assert [w.tolist() for w in found] == [[[0, 1, 2, 1, 1, 2]], [[1, 1, 2, 2, 1, 2]]]


def test_each_channel_is_normalized_and_quantized():
    config = VectorPreprocess("vector", mean=(10.0, 0.0), std=(2.0, 0.5))
    tensor = TensorInfo("x", (1, 2), "int8", 0.1, 3)
    (window,) = windows(config, tensor, [np.array([11.0, -3.0], np.float32)])
    assert window.tolist() == [[8, -57]]
    (window,) = windows(config, tensor, [np.array([1e30, -1e30], np.float32)])
    assert window.tolist() == [[127, -128]]


@given(st.lists(st.sampled_from([1.0, np.nan, np.inf, -np.inf, 3e38]), min_size=1, max_size=30))
def test_broken_readings_never_reach_the_model(readings):
    config = VectorPreprocess("vector", window=2, std=(0.5,))
    preprocessor = build_preprocessor(config, TensorInfo("x", (2, 2), "int8", 0.1, 0))
    rows = np.array([[reading, 1.0] for reading in readings], np.float32)
    good = sum(reading == 1.0 for reading in readings)  # 3e38 / 0.5 is beyond float32
    assert preprocessor.push(Sample(rows, 0)) == max(0, good - 1)
    assert preprocessor.rejected == len(readings) - good
    for _ in range(good - 1):
        out = np.zeros((2, 2), np.int8)
        preprocessor.fill(out)
        assert (out == 20).all()


@pytest.mark.parametrize(
    "sample",
    [
        Sample(np.zeros(2, np.float32), 0),
        Sample(np.zeros((3, 2), np.float32), 0),
        Sample(np.zeros((1, 1, 3), np.float32), 0),
        Sample(np.float32(1.0).reshape(()), 0),
        Sample(np.zeros(3, np.int16), 0, rate_hz=16000),
        Sample(np.zeros(3, np.complex64), 0),
    ],
)
def test_other_channels_or_kinds_are_refused(sample):
    preprocessor = build_preprocessor(VectorPreprocess("vector", window=2), floats(1, 6))
    with pytest.raises(ConfigError, match=r"source gives .* a row has 3 values"):
        preprocessor.push(sample)


@pytest.mark.parametrize(
    ("settings", "shape", "said"),
    [
        ({"window": 4}, (1, 6), "4 rows do not fill"),
        ({"window": 2}, (1, 3, 2), "2 rows do not fill"),
        ({"window": 2}, (2, 2, 2), "2 rows do not fill"),
        ({}, (0,), "1 rows do not fill"),
        ({"mean": (1.0, 2.0)}, (1, 3), "has 2 values for 3 channels"),
        ({"std": (1.0, 2.0)}, (1, 3), "has 2 values for 3 channels"),
        ({"std": (1e-60,)}, (1, 3), "out of range"),
        ({"mean": (1e60,)}, (1, 3), "out of range"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_windows_that_do_not_fit_are_refused(settings, shape, said):
    with pytest.raises(ConfigError, match=said):
        build_preprocessor(VectorPreprocess("vector", **settings), floats(*shape))


def passed(tensor: TensorInfo, data: np.ndarray) -> np.ndarray:
    preprocessor = build_preprocessor(TensorPreprocess("tensor"), tensor)
    assert preprocessor.push(Sample(data, 0)) == 1
    out = np.zeros(tensor.shape, tensor.dtype)
    preprocessor.fill(out)
    return out


@settings(max_examples=30)
@given(
    st.sampled_from(["int8", "uint8", "int16", "int32", "float32", "int64", "bool"]),
    st.integers(0, 99),
)
def test_the_models_own_type_passes(dtype, seed):
    data = np.random.default_rng(seed).integers(0, 2, (3, 4)).astype(dtype)
    assert np.array_equal(passed(TensorInfo("x", (1, 3, 4), dtype), data)[0], data)


def test_floats_are_quantized_or_narrowed():
    quantized = TensorInfo("x", (1, 3), "int8", 0.5, 1)
    assert passed(quantized, np.array([0.25, -0.25, 99])).tolist() == [[2, 0, 127]]
    assert passed(floats(2), np.array([0.1, 2.0])).tolist() == [np.float32(0.1), 2.0]


def test_unsigned_becomes_signed_where_both_count_from_zero():
    data = np.array([0, 127, 255], np.uint8)
    tensor = TensorInfo("x", (1, 3), "int8", 0.1, -128)
    assert passed(tensor, data).tolist() == [[-128, -1, 127]]


@pytest.mark.parametrize(
    ("tensor", "data"),
    [
        (TensorInfo("x", (1, 3), "int8", 0.1, 0), np.zeros(3, np.uint8)),
        (TensorInfo("x", (1, 3), "int8"), np.zeros(3, np.uint8)),
        (TensorInfo("x", (1, 3), "int8"), np.zeros(3, np.float32)),
        (TensorInfo("x", (1, 3), "int8", 0.1, -128), np.zeros(3, np.int16)),
        (floats(1, 3), np.zeros(3, np.uint8)),
        (floats(1, 3), np.zeros(4, np.float32)),
    ],
)
def test_tensors_of_another_kind_are_refused(tensor, data):
    preprocessor = build_preprocessor(TensorPreprocess("tensor"), tensor)
    with pytest.raises(ConfigError, match=r"preprocess.kind tensor: the source gives"):
        preprocessor.push(Sample(data, 0))


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.filterwarnings("error")
def test_tensors_with_nan_or_infinity_are_left_out(broken):
    preprocessor = build_preprocessor(TensorPreprocess("tensor"), floats(2))
    assert preprocessor.push(Sample(np.array([1.0, broken]), 0)) == 0
    assert preprocessor.rejected == 1
    assert preprocessor.push(Sample(np.array([1.0, 2.0]), 0)) == 1
