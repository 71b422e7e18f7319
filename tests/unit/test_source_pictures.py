import io

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from agent.sources.pictures import MAX_PIXELS, decode_mjpeg, decode_picture

RNG = np.random.default_rng(5)
PIXELS = RNG.integers(0, 256, (12, 18, 3), np.uint8)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM"])
def test_lossless_colour_and_grey(kind):
    assert (decode_picture(saved(Image.fromarray(PIXELS), kind)) == PIXELS).all()
    grey = PIXELS[:, :, 0]
    decoded = decode_picture(saved(Image.fromarray(grey), kind))
    assert decoded.shape == (12, 18, 1)
    assert (decoded[:, :, 0] == grey).all()


def test_palette_and_alpha_become_rgb():
    with_alpha = np.dstack([PIXELS, np.full((12, 18), 7, np.uint8)])
    assert (decode_picture(saved(Image.fromarray(with_alpha), "PNG")) == PIXELS).all()
    palette = Image.fromarray(PIXELS).quantize(8)
    assert (decode_picture(saved(palette, "PNG")) == np.asarray(palette.convert("RGB"))).all()


@pytest.mark.parametrize("kind", [".png", ".pgm"])
def test_sixteen_bits_keep_their_upper_eight(kind):
    deep = RNG.integers(0, 65536, (9, 5), np.uint16)
    data = cv2.imencode(kind, deep)[1].tobytes()
    assert (decode_picture(data)[:, :, 0] == deep >> 8).all()


def test_jpeg_agrees_with_opencv_and_stands_upright():
    smooth = cv2.resize(PIXELS, (90, 60))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    data = saved(Image.fromarray(smooth), "JPEG", quality=95, exif=exif)
    upright = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), 1), cv2.COLOR_BGR2RGB)
    decoded = decode_picture(data)
    assert decoded.shape == (90, 60, 3)
    assert np.abs(decoded.astype(int) - upright).max() <= 2


def test_mjpeg_frames_of_cameras_lack_their_huffman_tables():
    smooth = cv2.resize(PIXELS, (64, 48))
    whole = saved(Image.fromarray(smooth), "JPEG")
    bare = b""
    position = 2
    while whole[position + 1] != 0xDA:
        size = 2 + int.from_bytes(whole[position + 2 : position + 4], "big")
        if whole[position + 1] != 0xC4:
            bare += whole[position : position + size]
        position += size
    bare = whole[:2] + bare + whole[position:]
    assert len(bare) < len(whole) - 400
    assert (decode_mjpeg(bare, 64, 48) == np.asarray(Image.open(io.BytesIO(whole)))).all()
    with pytest.raises(ValueError, match="64"):
        decode_mjpeg(bare, 640, 480)


def test_a_bomb_is_refused_before_it_is_unpacked():
    header = b"P5 %d %d 255\n" % (8192, 8193)
    with pytest.raises(ValueError, match=str(MAX_PIXELS)):
        decode_picture(header + bytes(100))


SEEDS = [saved(Image.fromarray(PIXELS), kind) for kind in ("PNG", "JPEG", "BMP", "PPM")]


@given(st.sampled_from(SEEDS), st.data())
def test_damage_is_refused_or_gives_a_picture(whole, data):
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    for decode in (decode_picture, lambda raw: decode_mjpeg(raw, 18, 12)):
        try:
            image = decode(bytes(damaged))
        except ValueError:
            continue
        assert image.dtype == np.uint8
        assert image.ndim == 3


@given(st.binary(max_size=300))
def test_noise_is_refused(noise):
    with pytest.raises(ValueError, match="picture"):
        decode_picture(noise)
