"""A preprocessor that follows another, as when a pipeline changes its model: no window is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.processing import AudioPreprocess, Preprocess, VectorPreprocess
from agent.pipeline.preprocess import build_preprocessor
from agent.pipeline.sample import Sample
from agent.runtime.protocol import TensorInfo

RATE_HZ = 16_000


def windows(
    config: Preprocess,
    tensors: tuple[TensorInfo, TensorInfo],
    chunks: list[np.ndarray],
    change_at: int,
    rate_hz: int = 0,
) -> list[np.ndarray]:
    """Real values of every window; from `change_at` on it is the second tensor that is filled."""
    found, tensor = [], tensors[0]
    preprocessor = build_preprocessor(config, tensor)
    for number, chunk in enumerate(chunks):
        if number == change_at:
            tensor = tensors[1]
            preprocessor = build_preprocessor(config, tensor, preprocessor)
        for _ in range(preprocessor.push(Sample(chunk, 0, None, rate_hz))):
            stored = np.zeros(tensor.shape, tensor.dtype)
            preprocessor.fill(stored)
            real = stored.astype(np.float64)
            found.append(real if not tensor.scale else tensor.scale * (real - tensor.zero_point))
    return found


def quantized(shape: tuple[int, ...], scale: float, zero_point: int) -> TensorInfo:
    return TensorInfo("x", shape, "int8", scale, zero_point)


@given(
    st.integers(1, 8),
    st.integers(1, 12),
    st.lists(st.integers(1, 9), min_size=1, max_size=10),
    st.integers(0, 10),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_rows_go_on(
    window: int, stride: int, lengths: list[int], change_at: int, seed: int, is_float: bool
) -> None:
    rows = np.random.default_rng(seed).uniform(-1, 1, (sum(lengths), 2)).astype(np.float32)
    chunks = np.split(rows, np.cumsum(lengths)[:-1])
    config = VectorPreprocess("vector", window=window, stride=stride)
    shape = (1, window, 2)
    if is_float:
        tensors = (TensorInfo("a", shape, "float32"), TensorInfo("b", shape, "float32"))
        most = 0.0
    else:
        tensors = quantized(shape, 1 / 100, -3), quantized(shape, 1 / 64, 9)
        most = (1 / 100 + 1 / 64) / 2 + 1e-6
    found = windows(config, tensors, chunks, change_at)
    wanted = [rows[at : at + window] for at in range(0, len(rows) - window + 1, stride)]
    assert len(found) == len(wanted)
    for ours, want in zip(found, wanted, strict=True):
        assert np.abs(ours[0] - want).max() <= most


@pytest.mark.parametrize("features", ["waveform", "log_mel", "mfcc"])
@pytest.mark.parametrize("rate_hz", [RATE_HZ, 22_050])
def test_sound_goes_on(features: str, rate_hz: int) -> None:
    signal = np.random.default_rng(3).integers(-9000, 9000, 3 * rate_hz).astype(np.int16)
    chunks = np.array_split(signal, 37)
    config = AudioPreprocess("audio", features=features, sample_rate_hz=RATE_HZ)
    width = {"waveform": 1, "log_mel": config.mel_bins, "mfcc": config.coefficients}[features]
    tensor = TensorInfo("a", (1, 49 * width if width > 1 else RATE_HZ), "float32")
    undisturbed = windows(config, (tensor, tensor), chunks, 99, rate_hz)
    assert len(undisturbed) >= 2
    for change_at in (1, 5, 20, 36):
        found = windows(config, (tensor, tensor), chunks, change_at, rate_hz)
        assert len(found) == len(undisturbed)
        assert all(np.array_equal(*pair) for pair in zip(found, undisturbed, strict=True))


def test_a_window_of_another_size_begins_anew() -> None:
    rows = [np.ones((3, 2), np.float32)] * 4
    config = VectorPreprocess("vector", window=4, stride=4)
    wide = TensorInfo("b", (1, 4, 3), "float32")
    preprocessor = build_preprocessor(config, TensorInfo("a", (1, 4, 2), "float32"))
    preprocessor.push(Sample(rows[0], 0))
    following = build_preprocessor(config, wide, preprocessor)
    assert following.push(Sample(np.ones((3, 3), np.float32), 0)) == 0
    assert following.push(Sample(np.ones((1, 3), np.float32), 0)) == 1
