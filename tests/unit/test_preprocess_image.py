"""Fitting, resizing and storing pictures, against OpenCV, Pillow and closed forms."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from agent.config.processing import ImagePreprocess
from agent.errors import ConfigError
from agent.pipeline.preprocess import build_preprocessor
from agent.pipeline.preprocess.fit import Rect, place
from agent.pipeline.preprocess.resize import build_resize
from agent.pipeline.sample import Sample
from agent.runtime.protocol import TensorInfo

SIDES = st.integers(1, 70)
SIZES = st.tuples(SIDES, SIDES)
CHANNELS = st.sampled_from([1, 3])


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def resized(kind: str, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    whole = Rect(0, 0, picture.shape[1], picture.shape[0])
    return build_resize(kind, picture.shape, whole, size).apply(picture)


def by_opencv(picture: np.ndarray, size: tuple[int, int], flag: int) -> np.ndarray:
    out = cv2.resize(picture, (size[1], size[0]), interpolation=flag)
    return out.reshape(*size, picture.shape[2])


def off_by(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.abs(first.astype(int) - second).max())


@given(SIZES, SIZES, CHANNELS, st.integers(0, 99))
def test_nearest_is_the_pixel_under_the_centre(source, size, channels, seed):
    picture = noise(seed, *source, channels)
    rows = [int(Fraction(2 * i + 1, 2) * source[0] / size[0]) for i in range(size[0])]
    columns = [int(Fraction(2 * i + 1, 2) * source[1] / size[1]) for i in range(size[1])]
    assert np.array_equal(resized("nearest", picture, size), picture[rows][:, columns])


@given(SIZES, SIZES, st.integers(0, 99))
def test_nearest_is_that_of_pillow_and_opencv(source, size, seed):
    picture = noise(seed, *source, 3)
    ours = resized("nearest", picture, size)
    centres = [
        Fraction((2 * i + 1) * source[axis], 2 * size[axis])
        for axis in (0, 1)
        for i in range(size[axis])
    ]
    if any(centre.denominator == 1 for centre in centres):
        return  # on the line between two pixels either is right
    pillow = Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.NEAREST)
    assert np.array_equal(ours, np.asarray(pillow))
    assert np.array_equal(ours, by_opencv(picture, size, cv2.INTER_NEAREST_EXACT))


@given(SIZES, SIZES, CHANNELS, st.integers(0, 99))
def test_bilinear_is_that_of_opencv(source, size, channels, seed):
    picture = noise(seed, *source, channels)
    reference = by_opencv(picture, size, cv2.INTER_LINEAR)
    assert off_by(resized("bilinear", picture, size), reference) <= 1


@given(SIZES, SIZES, CHANNELS, st.integers(0, 99))
def test_area_is_that_of_opencv_when_shrinking(first, second, channels, seed):
    source = max(first[0], second[0]), max(first[1], second[1])
    size = min(first[0], second[0]), min(first[1], second[1])
    picture = noise(seed, *source, channels)
    reference = by_opencv(picture, size, cv2.INTER_AREA)
    assert off_by(resized("area", picture, size), reference) <= 1


@given(SIZES, SIZES, st.integers(0, 99))
def test_area_is_the_mean_of_what_a_pixel_covers(source, size, seed):
    """Both axes on the grid of their common multiple: a mean of equal cells is exact."""
    picture = noise(seed, *source, 1)
    shares = []
    for axis in (0, 1):
        cells = np.zeros((size[axis], source[axis]))
        for cell in range(source[axis] * size[axis]):
            cells[cell // source[axis], cell // size[axis]] += 1 / source[axis]
        shares.append(cells)
    exact = shares[0] @ picture[..., 0] @ shares[1].T
    ours = resized("area", picture, size)[..., 0]
    assert np.abs(ours - exact).max() <= 0.5 + 1e-3


@given(SIZES, SIZES, st.sampled_from(["nearest", "bilinear", "area"]), st.integers(0, 255))
def test_a_plain_picture_stays_plain(source, size, kind, level):
    picture = np.full((*source, 3), level, np.uint8)
    assert (resized(kind, picture, size) == level).all()


@given(SIZES, SIZES)
def test_crop_and_letterbox_are_centred_and_keep_the_aspect(source, target):
    crop, letterbox = place("crop", source, target), place("letterbox", source, target)
    assert (crop.target.width, crop.target.height) == (target[1], target[0])
    assert (letterbox.source.width, letterbox.source.height) == (source[1], source[0])
    for inner, outer, aspect in (
        (crop.source, source, target),
        (letterbox.target, target, source),
    ):
        assert 1 <= inner.height <= outer[0]
        assert 1 <= inner.width <= outer[1]
        assert inner.height == outer[0] or inner.width == outer[1]
        assert 0 <= (outer[1] - inner.width) - 2 * inner.left <= 1
        assert 0 <= (outer[0] - inner.height) - 2 * inner.top <= 1
        ratio = Fraction(*aspect)
        error = min(
            abs(inner.width - inner.height / ratio) if inner.height == outer[0] else 999,
            abs(inner.height - inner.width * ratio) if inner.width == outer[1] else 999,
        )
        assert error <= Fraction(1, 2) or 1 in (inner.width, inner.height)


def int8_image(height: int, width: int, channels: int = 3) -> TensorInfo:
    return TensorInfo("x", (1, height, width, channels), "int8", 1 / 255, -128)


def filled(config: ImagePreprocess, tensor: TensorInfo, picture: np.ndarray) -> np.ndarray:
    preprocessor = build_preprocessor(config, tensor)
    out = np.full(tensor.shape, 77, tensor.dtype)
    assert preprocessor.push(Sample(picture, 0)) == 1
    preprocessor.fill(out)
    return out


@settings(max_examples=60)
@given(SIZES, SIZES, st.sampled_from(["stretch", "crop", "letterbox"]), st.integers(0, 99))
def test_the_whole_way_is_cut_resize_pad_store(source, size, fit, seed):
    picture = noise(seed, *source, 3)
    config = ImagePreprocess("image", fit=fit, pad=9)
    where = place(fit, source, size)
    s, t = where.source, where.target
    part = np.ascontiguousarray(picture[s.top : s.top + s.height, s.left : s.left + s.width])
    expected = np.full((*size, 3), 9, np.uint8)
    inner = resized("bilinear", part, (t.height, t.width))
    expected[t.top : t.top + t.height, t.left : t.left + t.width] = inner
    ours = filled(config, int8_image(*size), picture)
    assert np.array_equal(ours[0].astype(int) + 128, expected)


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "area"])
def test_crop_reads_nothing_outside_the_part(kind):
    picture = noise(1, 40, 90, 3)
    cut = place("crop", (40, 90), (16, 16)).source
    alone = np.ascontiguousarray(picture[:, cut.left : cut.left + cut.width])
    config = ImagePreprocess("image", fit="crop", interpolation=kind)
    whole = filled(config, int8_image(16, 16), picture)
    assert np.array_equal(whole, filled(config, int8_image(16, 16), alone))


def test_a_picture_of_the_right_size_is_written_bit_for_bit():
    picture = noise(2, 8, 9, 3)
    ours = filled(ImagePreprocess("image"), int8_image(8, 9), picture)
    assert np.array_equal(ours[0], picture.astype(np.int16) - 128)
    strided = noise(3, 16, 20, 3)[::2, 1:19:2]
    ours = filled(ImagePreprocess("image"), int8_image(8, 9), strided)
    assert np.array_equal(ours[0], strided.astype(np.int16) - 128)


def test_planes_blue_first_and_grey():
    picture = noise(3, 6, 5, 3)
    planar = TensorInfo("x", (1, 3, 6, 5), "uint8")
    assert np.array_equal(
        filled(ImagePreprocess("image", colour="bgr"), planar, picture)[0],
        picture[..., ::-1].transpose(2, 0, 1),
    )
    grey = filled(ImagePreprocess("image"), TensorInfo("x", (6, 5, 1), "uint8"), picture)
    assert np.array_equal(grey[..., 0], np.asarray(Image.fromarray(picture).convert("L")))
    tripled = filled(ImagePreprocess("image"), TensorInfo("x", (1, 6, 5, 3), "uint8"), grey)
    assert np.array_equal(tripled[0], np.repeat(grey, 3, axis=2))


def test_mean_and_std_belong_to_the_channels_of_the_model():
    picture = noise(4, 4, 4, 3)
    config = ImagePreprocess("image", colour="bgr", mean=(1, 2, 3), std=(2, 4, 8))
    ours = filled(config, TensorInfo("x", (1, 4, 4, 3), "float32"), picture)
    expected = (picture[..., ::-1] - np.array([1.0, 2, 3])) / np.array([2.0, 4, 8])
    np.testing.assert_allclose(ours[0], expected, rtol=1e-6)


def test_sixteen_bit_inputs():
    config = ImagePreprocess("image", mean=(127.5,), std=(127.5,))
    tensor = TensorInfo("x", (1, 1, 3, 1), "int16", 1 / 32767, 0)
    picture = np.array([0, 128, 255], np.uint8).reshape(1, 3, 1)
    assert filled(config, tensor, picture).ravel().tolist() == [-32767, 128, 32767]


def test_the_newest_picture_counts_and_sizes_may_change():
    preprocessor = build_preprocessor(ImagePreprocess("image"), int8_image(4, 4))
    out = np.zeros((1, 4, 4, 3), np.int8)
    for size in ((9, 9), (4, 4), (2, 3), (4, 4)):
        preprocessor.push(Sample(np.zeros((*size, 3), np.uint8), 0))
        assert preprocessor.push(Sample(np.full((*size, 3), 200, np.uint8), 0)) == 1
        preprocessor.fill(out)
        assert (out == 72).all()


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(100, np.int16),
    ],
)
def test_what_is_no_picture_is_refused(data):
    preprocessor = build_preprocessor(ImagePreprocess("image"), int8_image(4, 4))
    with pytest.raises(ConfigError, match=r"the source gives .* but pictures are uint8") as refusal:
        preprocessor.push(Sample(data, 0, id="a\nname"))
    assert "\n" not in str(refusal.value)


def test_a_picture_of_the_same_shape_but_another_type_is_refused():
    preprocessor = build_preprocessor(ImagePreprocess("image"), int8_image(4, 4))
    preprocessor.push(Sample(np.zeros((4, 4, 3), np.uint8), 0))
    with pytest.raises(ConfigError):
        preprocessor.push(Sample(np.zeros((4, 4, 3), np.float32), 0))


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((1, 640), "auto"),
        ((1, 4, 4, 2), "auto"),
        ((2, 4, 4, 3), "auto"),
        ((1, 4, 4, 3), "nchw"),
        ((1, 3, 4, 4), "nhwc"),
        ((1, 0, 4, 3), "auto"),
        ((), "auto"),
    ],
)
def test_models_that_take_no_picture_are_refused(shape, layout):
    config = ImagePreprocess("image", layout=layout)
    with pytest.raises(ConfigError, match="is no picture of 1 or 3 channels"):
        build_preprocessor(config, TensorInfo("x", shape, "float32"))
