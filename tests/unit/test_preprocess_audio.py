"""Sound features against librosa and SciPy, and their independence of how sound is cut."""

import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.processing import AudioPreprocess
from agent.errors import ConfigError
from agent.pipeline.preprocess import build_preprocessor
from agent.pipeline.preprocess.mel import dct_matrix, mel_filters
from agent.pipeline.preprocess.resample import Resampler
from agent.pipeline.preprocess.rows import MAX_BACKLOG
from agent.pipeline.preprocess.spectrum import SpectralFrames
from agent.pipeline.sample import Sample
from agent.runtime.protocol import TensorInfo

RATES = [8000, 11025, 16000, 22050, 44100, 48000]


def sound(seed: int, samples: int) -> np.ndarray:
    """Noise with a tone, as loud as speech."""
    rng = np.random.default_rng(seed)
    tone = 6000 * np.sin(2 * np.pi * rng.uniform(50, 3000) * np.arange(samples) / 16000)
    return (tone + 1500 * rng.standard_normal(samples)).astype(np.int16)


def by_librosa(config: AudioPreprocess, signal: np.ndarray) -> np.ndarray:
    rate = config.sample_rate_hz
    frame, hop = round(config.frame_ms * rate / 1000), round(config.stride_ms * rate / 1000)
    size = config.fft_size or 1 << (frame - 1).bit_length()
    # librosa centres a short window in the transform; ours begins at the frame's first sample.
    shifted = np.pad(signal.astype(np.float64), ((size - frame) // 2, size))
    spectrum = librosa.stft(
        shifted, n_fft=size, hop_length=hop, win_length=frame, window="hann", center=False
    )
    filters = librosa.filters.mel(
        sr=rate,
        n_fft=size,
        n_mels=config.mel_bins,
        fmin=config.lower_hz,
        fmax=config.upper_hz,
        htk=config.mel_scale == "htk",
        norm=None if config.mel_norm == "none" else config.mel_norm,
        dtype=np.float64,
    )
    energy = filters @ np.abs(spectrum) ** config.power
    if config.log == "db":
        to_db = librosa.power_to_db if config.power == 2 else librosa.amplitude_to_db
        features = to_db(energy, ref=1.0, amin=config.log_floor, top_db=None)
    else:
        log = np.log if config.log == "ln" else np.log10
        features = log(energy + config.log_floor)
    if config.features == "mfcc":
        features = librosa.feature.mfcc(S=features, n_mfcc=config.coefficients)
    return features.T[: (len(signal) - frame) // hop + 1]


@st.composite
def spectral_settings(draw) -> AudioPreprocess:
    rate = draw(st.sampled_from([8000, 16000, 44100]))
    bins = draw(st.sampled_from([10, 40, 64]))
    return AudioPreprocess(
        "audio",
        features=draw(st.sampled_from(["log_mel", "mfcc"])),
        sample_rate_hz=rate,
        frame_ms=draw(st.sampled_from([10.0, 25.0, 30.0, 32.0])),
        stride_ms=draw(st.sampled_from([5.0, 10.0, 20.0, 40.0])),
        fft_size=draw(st.sampled_from([None, 2048])),
        mel_bins=bins,
        coefficients=draw(st.integers(1, bins)),
        lower_hz=draw(st.sampled_from([0.0, 20.0, 300.0])),
        upper_hz=draw(st.sampled_from([3400.0, 4000.0])),
        mel_scale=draw(st.sampled_from(["htk", "slaney"])),
        mel_norm=draw(st.sampled_from(["none", "slaney"])),
        power=draw(st.sampled_from([1, 2])),
        log=draw(st.sampled_from(["ln", "log10", "db"])),
    )


@pytest.mark.filterwarnings("ignore:Empty filters detected")
@settings(max_examples=40, deadline=None)
@given(spectral_settings(), st.integers(0, 99))
def test_features_are_those_of_librosa(config, seed):
    signal = (sound(seed, 6000) / np.float32(32768)).astype(np.float32)
    ours, reference = SpectralFrames(config).push(signal), by_librosa(config, signal)
    assert ours.shape == reference.shape
    np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=1e-5 * np.abs(reference).max())


@given(st.integers(1, 80), st.data())
def test_dct_is_that_of_scipy(size, data):
    count = data.draw(st.integers(1, size))
    signal = np.random.default_rng(size).standard_normal(size)
    reference = scipy.fft.dct(signal, norm="ortho")[:count]
    np.testing.assert_allclose(signal @ dct_matrix(size, count), reference, atol=1e-12)
    plain = scipy.fft.dct(signal)[:count] / np.sqrt(2 * size)
    np.testing.assert_allclose(signal @ dct_matrix(size, count, "tensorflow"), plain, atol=1e-12)


def test_tensorflow_filters_are_straight_over_mel():
    """By the definition of tf.signal.linear_to_mel_weight_matrix."""
    filters = mel_filters(16000, 512, 20, (20.0, 4000.0), "tensorflow", "none")
    mel = 1127 * np.log1p(np.linspace(0, 8000, 257) / 700)
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(4000 / 700), 22)
    for index in range(20):
        triangle = np.interp(mel, edges[index : index + 3], [0, 1, 0], left=0, right=0)
        triangle[0] = 0
        np.testing.assert_allclose(filters[:, index], triangle, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(RATES), st.sampled_from(RATES), st.integers(0, 99))
def test_resampling_is_that_of_scipy(source_hz, target_hz, seed):
    signal = np.random.default_rng(seed).uniform(-1, 1, 6000).astype(np.float32)
    ours = Resampler(source_hz, target_hz).push(signal)
    divisor = np.gcd(source_hz, target_hz)
    reference = scipy.signal.resample_poly(
        signal.astype(np.float64), target_hz // divisor, source_hz // divisor
    )
    # All but the end, where SciPy sees zeros and a stream has yet to see what follows.
    assert len(ours) > 0.8 * len(reference)
    np.testing.assert_allclose(ours, reference[: len(ours)], atol=2e-6)


def cut(signal: np.ndarray, places: list[int]) -> list[np.ndarray]:
    return np.split(signal, sorted(place % (len(signal) + 1) for place in places))


def windows(config: AudioPreprocess, tensor: TensorInfo, chunks, rate_hz: int) -> list[np.ndarray]:
    preprocessor = build_preprocessor(config, tensor)
    found = []
    for chunk in chunks:
        for _ in range(preprocessor.push(Sample(chunk, 0, rate_hz=rate_hz))):
            found.append(np.full(tensor.shape, 99, tensor.dtype))
            preprocessor.fill(found[-1])
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["waveform", "log_mel", "mfcc"]),
    st.sampled_from([16000, 44100, 48000, 8000]),
    st.sampled_from([None, 20.0, 60.0, 400.0]),
    st.sampled_from([10.0, 20.0, 50.0]),
    st.lists(st.integers(0, 2**20), max_size=12),
    st.integers(0, 99),
)
def test_windows_do_not_depend_on_the_chunks(features, rate_hz, every_ms, stride_ms, places, seed):
    if every_ms and every_ms % stride_ms:
        every_ms = None
    config = AudioPreprocess(
        "audio", features=features, every_ms=every_ms, stride_ms=stride_ms, coefficients=8
    )
    width = {"waveform": 1, "log_mel": 40, "mfcc": 8}[features]
    rows = 800 if features == "waveform" else 4
    tensor = TensorInfo("x", (1, rows, width, 1), "int8", 0.05, -3)
    signal = sound(seed, rate_hz // 2)
    whole = windows(config, tensor, [signal], rate_hz)
    pieces = windows(config, tensor, cut(signal, places), rate_hz)
    assert len(whole) == len(pieces) > 0
    assert all(np.array_equal(a, b) for a, b in zip(whole, pieces, strict=True))


def test_windows_slide_over_the_frames():
    config = AudioPreprocess("audio", every_ms=40.0)
    tensor = TensorInfo("x", (1, 49, 10, 1), "float32")
    signal = sound(1, 24000)
    rows = SpectralFrames(config).push((signal / 32768).astype(np.float32))
    found = windows(config, tensor, [signal], 16000)
    assert len(found) == (len(rows) - 49) // 2 + 1
    for index, window in enumerate(found):
        assert np.array_equal(window[0, :, :, 0], rows[2 * index : 2 * index + 49])


def test_waveform_is_full_scale_one():
    config = AudioPreprocess("audio", features="waveform")
    tensor = TensorInfo("x", (1, 4), "int8", 1 / 128, 0)
    chunk = np.array([-32768, 0, 16384, 32767], np.int16)
    (window,) = windows(config, tensor, [chunk], 16000)
    assert window.tolist() == [[-128, 0, 64, 127]]


def test_silence_is_finite():
    config = AudioPreprocess("audio")
    tensor = TensorInfo("x", (49, 10), "float32")
    (window,) = windows(config, tensor, [np.zeros(16000, np.int16)], 16000)
    assert np.isfinite(window).all()


def test_a_consumer_that_never_takes_anything_costs_bounded_memory():
    config = AudioPreprocess("audio", every_ms=20.0)
    preprocessor = build_preprocessor(config, TensorInfo("x", (49, 10), "int8", 0.5, 80))
    ready = [preprocessor.push(Sample(sound(i, 3200), 0, rate_hz=16000)) for i in range(60)]
    assert max(ready) <= MAX_BACKLOG + 10
    assert preprocessor._window._rows.nbytes < 10_000


def test_a_change_of_rate_starts_anew():
    config = AudioPreprocess("audio", features="waveform")
    tensor = TensorInfo("x", (1, 100), "float32")
    preprocessor = build_preprocessor(config, tensor)
    assert preprocessor.push(Sample(sound(1, 99), 0, rate_hz=16000)) == 0
    preprocessor.push(Sample(sound(2, 50), 0, rate_hz=48000))
    assert preprocessor.push(Sample(sound(3, 99), 0, rate_hz=16000)) == 0
    assert preprocessor.push(Sample(sound(3, 1), 0, rate_hz=16000)) == 1


@pytest.mark.parametrize(
    "sample",
    [
        Sample(np.zeros(100, np.float32), 0, rate_hz=16000),
        Sample(np.zeros((100, 2), np.int16), 0, rate_hz=16000),
        Sample(np.zeros(100, np.int16), 0),
        Sample(np.zeros((4, 4, 3), np.uint8), 0),
    ],
)
def test_what_is_no_sound_is_refused(sample):
    preprocessor = build_preprocessor(
        AudioPreprocess("audio"), TensorInfo("x", (49, 10), "float32")
    )
    with pytest.raises(ConfigError, match=r"the source gives .*, but sound is int16"):
        preprocessor.push(sample)


def test_rates_without_a_small_ratio_are_refused():
    preprocessor = build_preprocessor(
        AudioPreprocess("audio"), TensorInfo("x", (49, 10), "float32")
    )
    with pytest.raises(ConfigError, match="44099 Hz cannot become 16000 Hz"):
        preprocessor.push(Sample(np.zeros(10, np.int16), 0, rate_hz=44099))


@pytest.mark.parametrize(
    ("settings", "shape", "said"),
    [
        ({}, (1, 49, 13), "mfcc has 10 values a row"),
        ({"features": "waveform"}, (1, 49, 13), "waveform has 1 values a row"),
        ({}, (2, 49, 10), "mfcc has 10 values a row"),
        ({}, (1, 0), "mfcc has 10 values a row"),
        ({"every_ms": 30.0}, (49, 10), "no multiple of stride_ms: take 40"),
        ({"every_ms": 1.0}, (49, 10), "no multiple of stride_ms: take 20"),
        ({"coefficients": 41}, (49, 41), "more than the 40 mel_bins"),
        ({"fft_size": 256}, (49, 10), "does not fit a frame of 480 samples"),
        ({"frame_ms": 1000.0, "sample_rate_hz": 192000}, (49, 10), "shorter frame_ms"),
        ({"frame_ms": 0.01}, (49, 10), "less than a sample"),
        ({"upper_hz": 8001.0}, (49, 10), "half the sample rate"),
        ({"lower_hz": 4000.0}, (49, 10), "half the sample rate"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, shape, said):
    with pytest.raises(ConfigError, match=said) as refusal:
        build_preprocessor(AudioPreprocess("audio", **settings), TensorInfo("x", shape, "float32"))
    assert "\n" not in str(refusal.value)
