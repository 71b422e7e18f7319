import cv2
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from agent.sources.pixels import grey_frame, rgb_frame, yuyv_to_rgb


def bt601(packed):
    y = packed[:, :, 0].astype(float)
    u = np.repeat(packed[:, 0::2, 1], 2, axis=1).astype(float) - 128
    v = np.repeat(packed[:, 1::2, 1], 2, axis=1).astype(float) - 128
    # ITU-R BT.601-7, section 2.5: from the luma weights, for the range 16 to 235 and 16 to 240.
    y = (y - 16) * 255 / 219
    red = y + 2 * (1 - 0.299) * v * 255 / 224
    blue = y + 2 * (1 - 0.114) * u * 255 / 224
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    return np.stack([red, green, blue], axis=-1)


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
        lambda size: hnp.arrays(np.uint8, (size[0], 2 * size[1], 2))
    ),
    st.integers(0, 5),
)
def test_yuyv_is_bt601(packed, padding):
    height, width, _ = packed.shape
    rows = np.pad(packed.reshape(height, width * 2), ((0, 0), (0, padding)))
    rgb = yuyv_to_rgb(rows.tobytes(), width, height, width * 2 + padding)
    assert rgb.shape == (height, width, 3)
    # Green is the difference of two rounded numbers, so compare before it is clipped.
    exact = np.clip(bt601(packed), 0, 255)
    assert np.abs(rgb - exact).max() <= 0.6


def test_legal_luma_with_every_chroma_agrees_with_opencv_within_one():
    # Below black (16) OpenCV clamps before it adds the chroma; BT.601 does not.
    y, u = np.meshgrid(np.arange(16, 256, 3), np.arange(0, 256, 5))
    for v in range(0, 256, 17):
        packed = np.empty((*y.shape, 2, 2), np.uint8)
        packed[..., 0] = y[..., None]
        packed[..., 0, 1], packed[..., 1, 1] = u, v
        packed = packed.reshape(y.shape[0], -1, 2)
        ours = yuyv_to_rgb(packed.tobytes(), packed.shape[1], packed.shape[0])
        theirs = cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_YUYV)
        assert np.abs(ours.astype(int) - theirs).max() <= 1


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7), st.just(3))))
def test_rgb_and_grey_are_views_without_padding(image):
    height, width, _ = image.shape
    rgb_rows = np.pad(image.reshape(height, -1), ((0, 0), (0, 4))).tobytes()
    assert (rgb_frame(rgb_rows, width, height, width * 3 + 4) == image).all()
    grey = image[:, :, :1]
    assert (grey_frame(grey.tobytes(), width, height) == grey).all()


@pytest.mark.parametrize("convert", [yuyv_to_rgb, rgb_frame, grey_frame])
@given(data=st.binary(max_size=200), width=st.integers(1, 16), height=st.integers(1, 16))
def test_a_frame_is_whole_or_refused(convert, data, width, height):
    width *= 2
    try:
        image = convert(data, width, height)
    except ValueError:
        bytes_per_pixel = {yuyv_to_rgb: 2, rgb_frame: 3, grey_frame: 1}[convert]
        assert len(data) < width * height * bytes_per_pixel
    else:
        assert image.shape[:2] == (height, width)
