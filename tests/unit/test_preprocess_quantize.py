"""Real values and pixels to stored values, against exact fractions."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.pipeline.preprocess.pixels import PixelMap, luma
from agent.pipeline.preprocess.quantize import Quantizer
from agent.runtime.protocol import TensorInfo

DTYPES = st.sampled_from(["int8", "uint8", "int16"])
SCALES = st.floats(2**-20, 2**20, width=32)


def rounded_away(value: Fraction) -> int:
    """Halves away from zero, as C's round."""
    size = floor(abs(value) + Fraction(1, 2))
    return size if value >= 0 else -size


def clamped(value: int, dtype: str) -> int:
    limits = np.iinfo(dtype)
    return int(min(max(value, limits.min), limits.max))


def tensor(dtype: str, scale: float = 0.0, zero_point: int = 0, shape=(1, 4)) -> TensorInfo:
    return TensorInfo("x", shape, dtype, scale, zero_point)


@st.composite
def quantizations(draw):
    dtype = draw(DTYPES)
    limits = np.iinfo(dtype)
    zero_point = draw(st.integers(max(limits.min, -300), min(limits.max, 300)))
    return dtype, draw(SCALES), zero_point


@given(
    quantizations(),
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=30),
)
def test_reals_are_stored_as_the_float32_quotient_rounded_away(quantization, reals):
    dtype, scale, zero_point = quantization
    values = np.array(reals, np.float32)
    stored = np.empty(len(values), dtype)
    Quantizer(tensor(dtype, scale, zero_point)).store(values, stored)
    with np.errstate(over="ignore"):
        quotients = np.clip(values / np.float32(scale), -1e9, 1e9)
    expected = [
        clamped(rounded_away(Fraction(float(quotient))) + zero_point, dtype)
        for quotient in quotients
    ]
    assert stored.tolist() == expected


@given(quantizations())
def test_halves_go_away_from_zero(quantization):
    dtype, _, zero_point = quantization
    values = np.arange(-20, 20, dtype=np.float32) + np.float32(0.5)
    just_below = np.nextafter(np.abs(values), np.float32(0)) * np.sign(values)
    for reals in (values, just_below.astype(np.float32)):
        stored = np.empty(len(reals), dtype)
        Quantizer(tensor(dtype, 1.0, zero_point)).store(reals, stored)
        expected = [clamped(rounded_away(Fraction(float(r))) + zero_point, dtype) for r in reals]
        assert stored.tolist() == expected


def test_float32_keeps_the_values():
    values = np.array([1.5, -2.25], np.float32)
    stored = np.empty(2, np.float32)
    Quantizer(tensor("float32")).store(values, stored)
    assert stored.tolist() == [1.5, -2.25]


@pytest.mark.parametrize("info", [tensor("int8"), tensor("int64", 1.0), tensor("float16")])
def test_tensors_that_cannot_be_computed_are_refused(info):
    with pytest.raises(ConfigError, match=r"^preprocess: input 'x' is .*: .*") as refusal:
        Quantizer(info)
    assert "\n" not in str(refusal.value)


@settings(max_examples=60)
@given(
    quantizations(),
    st.floats(-500, 500, width=32),
    st.floats(2**-10, 1000, width=32),
)
def test_every_pixel_is_stored_exactly(quantization, mean, std):
    dtype, scale, zero_point = quantization
    pixels = PixelMap(tensor(dtype, scale, zero_point), 1, (mean,), (std,))
    expected = [
        clamped(
            rounded_away((pixel - Fraction(mean)) / Fraction(std) / Fraction(scale)) + zero_point,
            dtype,
        )
        for pixel in range(256)
    ]
    assert [int(pixels.stored(pixel)[0]) for pixel in range(256)] == expected


@settings(max_examples=30)
@given(quantizations(), st.sampled_from([None, (0.0,), (127.5,), (1.0, 2.0, 3.0)]), st.data())
def test_what_is_written_is_the_table(quantization, mean, data):
    """Whole, by channel, strided and reversed: every way of writing gives the same values."""
    dtype, scale, zero_point = data.draw(st.sampled_from([quantization, ("float32", 0.0, 0)]))
    scale = data.draw(st.sampled_from([scale, 1 / 255, 1.0])) if scale else scale
    pixels = PixelMap(tensor(dtype, scale, zero_point), 3, mean, None)
    seed = data.draw(st.integers(0, 2**32 - 1))
    picture = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    order = data.draw(st.sampled_from([(0, 1, 2), (2, 1, 0)]))
    for target in (
        np.zeros((5, 7, 3), dtype),
        np.zeros((3, 5, 7), dtype).transpose(1, 2, 0),
        np.zeros((9, 12, 3), dtype)[2:7, 3:10],
    ):
        pixels.write(picture, order, target)
        for channel, source in enumerate(order):
            wanted = [pixels.stored(int(p))[channel] for p in picture[..., source].ravel()]
            assert target[..., channel].ravel().tolist() == wanted


def test_left_out_mean_and_std_spread_pixels_over_eight_bits():
    signed = PixelMap(tensor("int8", 1.0, -128), 1, None, None)
    unsigned = PixelMap(tensor("uint8"), 1, None, None)
    real = PixelMap(tensor("float32"), 1, None, None)
    assert [signed.stored(p)[0] for p in (0, 7, 255)] == [-128, -121, 127]
    assert [unsigned.stored(p)[0] for p in (0, 7, 255)] == [0, 7, 255]
    assert [float(real.stored(p)[0]) for p in (0, 51, 255)] == pytest.approx([0, 0.2, 1])


@pytest.mark.parametrize(
    ("info", "mean", "std", "said"),
    [
        (tensor("int8"), (0.0,), (255.0,), "without quantization"),
        (tensor("int32"), None, None, "feed float32, int8, uint8 and int16"),
        (tensor("float32"), (0.0, 1.0), None, "2 values for a model of 3 channels"),
        (tensor("float32"), (float("nan"),), None, "out of range"),
        (tensor("float32"), None, (0.0,), "out of range"),
        (tensor("float32"), None, (1e-300,), "exceeds float32"),
        (tensor("float32"), (1e300,), None, "exceeds float32"),
    ],
)
def test_ranges_that_mean_nothing_are_refused(info, mean, std, said):
    with pytest.raises(ConfigError, match=said) as refusal:
        PixelMap(info, 3, mean, std)
    assert "\n" not in str(refusal.value)


def test_luma_is_that_of_pillow():
    from PIL import Image

    rng = np.random.default_rng(5)
    picture = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(luma(picture)[..., 0], np.asarray(Image.fromarray(picture).convert("L")))
