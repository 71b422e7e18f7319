"""Compressed pictures as uint8 arrays."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 8192 * 8192
FORMATS = ("PNG", "JPEG", "BMP", "PPM")


def decode_picture(data: bytes) -> NDArray[np.uint8]:
    """Decode PNG, JPEG, BMP or PGM/PPM; turn it upright as its EXIF orientation says.

    Returns:
        RGB [height, width, 3], or [height, width, 1] if the picture is grey; 16 bits become 8.

    Raises:
        ValueError: not such a picture, damaged, or above `MAX_PIXELS`.
    """
    with _opened(data, FORMATS) as picture:
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"{width} × {height} pixels exceed {MAX_PIXELS}")
        try:
            ImageOps.exif_transpose(picture, in_place=True)
            if picture.mode[0] == "I":
                deep = np.clip(np.asarray(picture), 0, 65535).astype(np.uint16)
                return np.asarray(deep >> 8, np.uint8)[:, :, None]
            if picture.mode in ("1", "L", "LA"):
                return np.asarray(picture.convert("L"))[:, :, None]
            return np.asarray(picture.convert("RGB"))
        except _DAMAGE as error:
            raise ValueError(f"damaged: {error}") from None


def decode_mjpeg(data: bytes | memoryview, width: int, height: int) -> NDArray[np.uint8]:
    """Decode one frame of Motion JPEG to RGB [height, width, 3].

    Raises:
        ValueError: damaged, or not of the size that was agreed with the camera.
    """
    with _opened(data, ("JPEG",)) as picture:
        if picture.size != (width, height):
            raise ValueError(f"{picture.size} is not ({width}, {height})")
        try:
            return np.asarray(picture.convert("RGB"))
        except _DAMAGE as error:
            raise ValueError(f"damaged: {error}") from None


# Pillow's decoders raise all of these on damaged files.
_DAMAGE = (OSError, ValueError, SyntaxError, IndexError, TypeError, KeyError, OverflowError)


def _opened(data: bytes | memoryview, formats: tuple[str, ...]) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except (Image.DecompressionBombError, *_DAMAGE) as error:
        kinds = ", ".join(formats)
        reason = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
        raise ValueError(f"no {kinds} picture{reason}") from None
