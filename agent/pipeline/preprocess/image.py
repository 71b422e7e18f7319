"""Pictures into image models."""

from collections.abc import Callable

import numpy as np

from agent.config.processing import ImagePreprocess
from agent.errors import ConfigError
from agent.pipeline.preprocess.describe import describe_sample, describe_tensor
from agent.pipeline.preprocess.fit import Placement, Rect, place
from agent.pipeline.preprocess.pixels import PixelMap, luma
from agent.pipeline.preprocess.resize import Resize, build_resize
from agent.pipeline.sample import Sample, Tensor
from agent.runtime.protocol import TensorInfo

_UINT8 = np.dtype(np.uint8)


class ImagePreprocessor:
    """Cuts, resizes, reorders and stores pictures; holds only the newest one.

    A picture that already has the model's size goes from the source's memory to the model's in one
    vectorised pass.
    """

    def __init__(self, config: ImagePreprocess, tensor: TensorInfo) -> None:
        """Prepare for `tensor`: [1, height, width, channels] or [1, channels, height, width].

        Raises:
            ConfigError: the tensor is no image of one or three channels, or mean or std do not fit.
        """
        self._config = config
        self._tensor = tensor
        self._planar = _is_planar(config, tensor)
        first, second, third = tensor.shape[-3:]
        self._shape = (second, third, first) if self._planar else (first, second, third)
        self._pixels = PixelMap(tensor, self._shape[2], config.mean, config.std)
        self._pad = self._pixels.stored(config.pad)
        self._source_shape: tuple[int, ...] | None = None
        self._placement: Placement
        self._resize: Resize | None = None
        self._order: tuple[int, ...]
        self._picture: Tensor | None = None
        self._direct: Callable[[Tensor, Tensor], None] | None = None

    def push(self, sample: Sample) -> int:
        """Take a picture; an older one that was not filled is dropped.

        Raises:
            ConfigError: the source gives no uint8 pictures of one or three channels.
        """
        picture = sample.data
        if picture.shape != self._source_shape or picture.dtype is not _UINT8:
            self._prepare(sample)
        self._picture = picture
        return 1

    def fill(self, tensor: Tensor) -> None:
        """Write the pushed picture as the model stores it."""
        picture = self._picture
        assert picture is not None, "fill without a ready input"
        self._picture = None
        if self._direct is not None:
            self._direct(picture, tensor.reshape(picture.shape))
            return
        target = tensor.reshape(tensor.shape[-3:])
        if self._planar:
            target = target.transpose(1, 2, 0)
        picture, target = self._scale(picture), self._inner(target)
        if picture.shape[2] > self._shape[2]:
            picture = luma(picture)
        self._pixels.write(picture, self._order, target)

    def _prepare(self, sample: Sample) -> None:
        """Make the tables for pictures of this size."""
        shape = sample.data.shape
        is_picture = len(shape) == 3 and shape[2] in (1, 3) and 0 not in shape
        if not is_picture or sample.data.dtype != np.uint8 or sample.rate_hz:
            raise ConfigError(
                f"preprocess.kind image: the source gives {describe_sample(sample)}, but pictures "
                "are uint8 [height, width, 1 or 3]: choose another source or preprocess.kind"
            )
        self._source_shape = shape
        model_channels = self._shape[2]
        if shape[2] == 1 or model_channels == 1:
            self._order = (0,) * model_channels
        else:
            self._order = (2, 1, 0) if self._config.colour == "bgr" else (0, 1, 2)
        self._placement = place(self._config.fit, (shape[0], shape[1]), self._shape[:2])
        source, target = self._placement.source, self._placement.target
        size = (target.height, target.width)
        self._resize = (
            None
            if size == (source.height, source.width)
            else build_resize(self._config.interpolation, shape, source, size)
        )
        as_it_is = shape == self._shape and not self._planar and self._resize is None
        self._direct = self._pixels.whole_writer(self._order) if as_it_is else None

    def _scale(self, picture: Tensor) -> Tensor:
        if self._resize is not None:
            return self._resize.apply(np.ascontiguousarray(picture))
        return _cut(picture, self._placement.source)

    def _inner(self, target: Tensor) -> Tensor:
        """The part of `target` that the picture fills; the rest is padded."""
        rect = self._placement.target
        if (rect.height, rect.width) == self._shape[:2]:
            return target
        bottom, right = rect.top + rect.height, rect.left + rect.width
        target[: rect.top] = self._pad
        target[bottom:] = self._pad
        target[rect.top : bottom, : rect.left] = self._pad
        target[rect.top : bottom, right:] = self._pad
        return _cut(target, rect)


def _cut(picture: Tensor, rect: Rect) -> Tensor:
    return picture[rect.top : rect.top + rect.height, rect.left : rect.left + rect.width]


def _is_planar(config: ImagePreprocess, tensor: TensorInfo) -> bool:
    shape = tensor.shape
    leading, image = shape[:-3], shape[-3:]
    fits = {"nhwc": len(image) == 3 and image[2] in (1, 3)}
    fits["nchw"] = len(image) == 3 and image[0] in (1, 3)
    wanted = ("nhwc", "nchw") if config.layout == "auto" else (config.layout,)
    layout = next((layout for layout in wanted if fits[layout]), None)
    if layout is None or 0 in shape or any(length != 1 for length in leading):
        raise ConfigError(
            f"preprocess.kind image: {describe_tensor(tensor)}, which is no picture of 1 or 3 "
            f"channels in layout {config.layout}: choose another layout or preprocess.kind"
        )
    return layout == "nchw"
