"""Raw frames of cameras as uint8 arrays [height, width, channels]."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Frame = bytes | bytearray | memoryview

_SCALE = 32
"""Fixed point of the tables below: the largest that keeps every sum within int16."""


def _table(gain: float, offset: int) -> NDArray[np.int16]:
    table: NDArray[np.int16] = np.rint(gain * _SCALE * (np.arange(256) - offset)).astype(np.int16)
    return table


# ITU-R BT.601, limited range: what V4L2 gives to YUYV of a camera that does not say otherwise.
_LUMA = _table(255 / 219, 16) + np.int16(_SCALE // 2)  # half: the shift below then rounds
_V_RED = _table(1.402 * 255 / 224, 128)
_U_GREEN = _table(-1.772 * 0.114 / 0.587 * 255 / 224, 128)
_V_GREEN = _table(-1.402 * 0.299 / 0.587 * 255 / 224, 128)
_U_BLUE = _table(1.772 * 255 / 224, 128)


def rows(data: Frame, height: int, row_bytes: int, stride: int = 0) -> Image:
    """View a frame as uint8 [height, row_bytes], without the padding at the end of each row.

    Args:
        stride: bytes from row to row; 0 if rows are not padded.

    Raises:
        ValueError: the frame is shorter than that.
    """
    stride = stride or row_bytes
    needed = (height - 1) * stride + row_bytes
    if stride < row_bytes or len(data) < needed:
        raise ValueError(f"frame of {len(data)} bytes, {needed} expected")
    return np.ndarray((height, row_bytes), np.uint8, data, 0, (stride, 1))


def yuyv_to_rgb(data: Frame, width: int, height: int, stride: int = 0) -> Image:
    """Convert YUYV 4:2:2 (BT.601, limited range) to RGB [height, width, 3]; `width` is even.

    Raises:
        ValueError: the frame is too short.
    """
    packed = rows(data, height, width * 2, stride).reshape(height, width // 2, 4)
    u, v = packed[:, :, 1], packed[:, :, 3]
    chroma = (_V_RED.take(v), _U_GREEN.take(u) + _V_GREEN.take(v), _U_BLUE.take(u))
    rgb = np.empty((height, width // 2, 2, 3), np.uint8)
    for pixel in (0, 1):  # of the two that share a chroma
        luma = _LUMA.take(packed[:, :, 2 * pixel])
        for channel in (0, 1, 2):
            value = luma + chroma[channel]
            value >>= 5
            np.clip(value, 0, 255, out=value)
            rgb[:, :, pixel, channel] = value
    return rgb.reshape(height, width, 3)


def rgb_frame(data: Frame, width: int, height: int, stride: int = 0) -> Image:
    """View packed RGB as [height, width, 3].

    Raises:
        ValueError: the frame is too short.
    """
    return rows(data, height, width * 3, stride).reshape(height, width, 3)


def grey_frame(data: Frame, width: int, height: int, stride: int = 0) -> Image:
    """View 8-bit grey as [height, width, 1].

    Raises:
        ValueError: the frame is too short.
    """
    return rows(data, height, width, stride)[:, :, None]
