"""Pixels to what the model stores: a table of 256 entries for each channel."""

import numpy as np

from agent.errors import ConfigError
from agent.pipeline.preprocess.describe import describe_tensor
from agent.pipeline.preprocess.quantize import QUANTIZED
from agent.pipeline.sample import Tensor
from agent.runtime.protocol import TensorInfo

LUMA = (19595, 38470, 7471)
"""ITU-R BT.601 weights of red, green and blue in units of 1/65536, as Pillow has them."""

_UINT8 = np.dtype(np.uint8)
_TOP_BIT = np.array(0x80, _UINT8)


class PixelMap:
    """Writes pixels as stored values, with no float on the way into a quantized model.

    stored = clamp(round((pixel - mean)/std/scale) + zero_point), halves away from zero, computed
    in whole numbers when the table is made; float32 models get (pixel - mean)/std.
    """

    def __init__(
        self,
        tensor: TensorInfo,
        channels: int,
        mean: tuple[float, ...] | None,
        std: tuple[float, ...] | None,
    ) -> None:
        """Make the tables.

        Args:
            tensor: the model's input.
            channels: how many it has.
            mean: one for all channels or one for each, in pixel values; None with `std` None
                gives 8-bit models the pixels over their whole range, other models 0 to 1.
            std: likewise.

        Raises:
            ConfigError: the tensor's type or the number of values does not fit.
        """
        if tensor.dtype != "float32" and tensor.dtype not in QUANTIZED:
            raise ConfigError(
                f"preprocess.kind image: {describe_tensor(tensor)}; pictures feed float32, int8, "
                "uint8 and int16 inputs: convert the model"
            )
        as_they_are = mean is None and std is None
        means = _per_channel("mean", (0.0,) if mean is None else mean, channels)
        stds = _per_channel("std", (255.0,) if std is None else std, channels)
        if as_they_are and np.dtype(tensor.dtype).itemsize == 1:
            least = np.iinfo(tensor.dtype).min
            table = np.arange(least, least + 256).astype(tensor.dtype)
            self._tables = [table] * channels
        else:
            pairs = zip(means, stds, strict=True)
            self._tables = [_table(tensor, mean, std) for mean, std in pairs]
        self._uniform = all(np.array_equal(table, self._tables[0]) for table in self._tables)
        self._writers = [_writer(table) for table in self._tables]

    def stored(self, pixel: int) -> Tensor:
        """Return what `pixel` becomes in each channel."""
        return np.array([table[pixel] for table in self._tables])

    def whole_writer(self, order: tuple[int, ...]) -> "Writer | None":
        """Return what writes whole pictures in one pass, if channels keep their order and table."""
        return self._writers[0] if self._uniform and order == tuple(range(len(order))) else None

    def write(self, picture: Tensor, order: tuple[int, ...], target: Tensor) -> None:
        """Write `picture` into `target`.

        Args:
            picture: uint8 [height, width, channels].
            order: which channel of the picture feeds each channel of the model.
            target: a view of the model's input as [height, width, channels].
        """
        whole = self.whole_writer(order)
        if whole is not None and len(order) == picture.shape[2] and _pixelwise(target):
            whole(picture, target)
            return
        for channel, source in enumerate(order):
            self._writers[channel](picture[..., source], target[..., channel])


class _Copy:
    def __init__(self, table: Tensor) -> None:
        self._dtype = table.dtype

    def __call__(self, pixels: Tensor, target: Tensor) -> None:
        np.copyto(target, pixels)


class _FlipTopBit:
    """pixel - 128 as int8."""

    def __call__(self, pixels: Tensor, target: Tensor) -> None:
        np.bitwise_xor(pixels, _TOP_BIT, target.view(_UINT8))


class _LookUp:
    def __init__(self, table: Tensor) -> None:
        self._table = table

    def __call__(self, pixels: Tensor, target: Tensor) -> None:
        np.take(self._table, pixels, out=target, mode="clip")


Writer = _Copy | _FlipTopBit | _LookUp


def luma(picture: Tensor) -> Tensor:
    """Return uint8 [height, width, 1] of an RGB picture, as Pillow's mode L."""
    total = np.full(picture.shape[:2], 1 << 15, np.uint32)
    for channel, weight in enumerate(LUMA):
        total += np.multiply(picture[..., channel], np.uint32(weight), dtype=np.uint32)
    total >>= 16
    return total.astype(np.uint8)[..., np.newaxis]


def _pixelwise(target: Tensor) -> bool:
    return target.strides[2] == target.itemsize or target.shape[2] == 1


def _writer(table: Tensor) -> Writer:
    pixels = np.arange(256)
    if table.dtype == np.uint8 and np.array_equal(table, pixels):
        return _Copy(table)
    if table.dtype == np.int8 and np.array_equal(table, pixels - 128):
        return _FlipTopBit()
    return _LookUp(table)


def _table(tensor: TensorInfo, mean: float, std: float) -> Tensor:
    if tensor.dtype == "float32":
        with np.errstate(over="ignore"):
            real = ((np.arange(256) - mean) / std).astype(np.float32)
        if not np.isfinite(real).all():
            raise ConfigError(
                f"preprocess.mean: (pixel - {mean:g})/{std:g} exceeds float32: "
                "give the values that the model was trained with"
            )
        return real
    if not tensor.scale > 0:
        raise ConfigError(
            f"preprocess.mean: {describe_tensor(tensor)} without quantization, so mean and std "
            "have no meaning: leave both out, or convert the model again"
        )
    limits = np.iinfo(tensor.dtype)
    mean_over, mean_under = mean.as_integer_ratio()
    std_over, std_under = std.as_integer_ratio()
    scale_over, scale_under = tensor.scale.as_integer_ratio()
    under = mean_under * std_over * scale_over
    stored = []
    for pixel in range(256):
        over = (pixel * mean_under - mean_over) * std_under * scale_under
        steps = (2 * abs(over) + under) // (2 * under)
        step = steps if over >= 0 else -steps
        stored.append(min(max(step + tensor.zero_point, limits.min), limits.max))
    return np.array(stored, tensor.dtype)


def _per_channel(name: str, values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    if len(values) not in (1, channels):
        raise ConfigError(
            f"preprocess.{name}: has {len(values)} values for a model of {channels} channels: "
            f"give one, or {channels}"
        )
    if not np.isfinite(values).all() or (name == "std" and min(values) <= 0):
        raise ConfigError(f"preprocess.{name}: {values} is out of range: give finite numbers")
    return tuple(values) * (channels // len(values))
