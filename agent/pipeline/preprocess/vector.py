"""Sliding windows over sensor values."""

import numpy as np

from agent.config.processing import VectorPreprocess
from agent.errors import ConfigError
from agent.pipeline.preprocess.describe import describe_sample, describe_tensor, squeezed
from agent.pipeline.preprocess.quantize import Quantizer, rows_are_finite
from agent.pipeline.preprocess.rows import RowWindow
from agent.pipeline.sample import Floats, Sample, Tensor
from agent.runtime.protocol import TensorInfo


class VectorPreprocessor:
    """(value - mean)/std of each channel, in windows of rows, quantized row by row as they come.

    A row with NaN or infinity, before or after normalizing, is left out of the window: a broken
    sensor ends in silence, not in answers about invented values.

    Attributes:
        rejected: rows left out.
    """

    def __init__(
        self,
        config: VectorPreprocess,
        tensor: TensorInfo,
        previous: "VectorPreprocessor | None" = None,
    ) -> None:
        """Prepare for `tensor`: [window, channels] or flat, with any dimensions of one.

        The rows that `previous`, of the same configuration, has of a window go on as they are.

        Raises:
            ConfigError: window, mean or std do not fit the tensor.
        """
        self._tensor = tensor
        size = int(np.prod(tensor.shape))
        self._channels = channels = size // config.window
        flat, rows = squeezed((size,)), squeezed((config.window, channels))
        if size == 0 or size % config.window or squeezed(tensor.shape) not in (flat, rows):
            raise ConfigError(
                f"preprocess.window: {config.window} rows do not fill the model, whose "
                f"{describe_tensor(tensor)}: give the number of rows that it takes"
            )
        self._mean = _per_channel("mean", config.mean, channels)
        self._std = _per_channel("std", config.std, channels)
        self._quantizer = Quantizer(tensor)
        self._window = RowWindow(config.window, config.stride, channels, self._quantizer.dtype)
        self.rejected = 0
        if previous is not None and previous._channels == channels:
            self.rejected = previous.rejected
            old, new = previous._quantizer, self._quantizer
            self._window.take_over(previous._window, lambda a, b: new.store(old.real(a), b))

    def push(self, sample: Sample) -> int:
        """Take one row [channels] or several [n, channels].

        Raises:
            ConfigError: the source gives another number of channels, or no sensor values.
        """
        data = sample.data
        if data.ndim == 1:
            data = data[np.newaxis]
        if data.ndim != 2 or data.shape[1] != self._channels or _is_no_sensor(sample):
            raise ConfigError(
                f"preprocess.kind vector: the source gives {describe_sample(sample)}, but the "
                f"model's {describe_tensor(self._tensor)}, so a row has {self._channels} values: "
                "choose the source's channels or preprocess.window accordingly"
            )
        self._window.trim()
        rows = self._normalize(data)
        if len(rows):
            room = self._window.append(len(rows))
            self._quantizer.store(rows[len(rows) - len(room) :], room)
        return self._window.ready

    def fill(self, tensor: Tensor) -> None:
        """Write the oldest window."""
        self._window.take(tensor)

    def _normalize(self, data: Tensor) -> Floats:
        with np.errstate(over="ignore", invalid="ignore"):
            rows: Floats = data.astype(np.float32)
            rows -= self._mean
            rows /= self._std
        finite = rows_are_finite(rows)
        if finite.all():
            return rows
        self.rejected += int(len(rows) - np.count_nonzero(finite))
        return rows[finite]


def _is_no_sensor(sample: Sample) -> bool:
    return sample.rate_hz > 0 or sample.data.dtype.kind not in "fiu"


def _per_channel(name: str, values: tuple[float, ...], channels: int) -> Floats:
    if len(values) not in (1, channels):
        raise ConfigError(
            f"preprocess.{name}: has {len(values)} values for {channels} channels: "
            f"give one, or {channels}"
        )
    with np.errstate(over="ignore"):
        given = np.array(values, np.float32)
    if not np.isfinite(given).all() or (name == "std" and not (given > 0).all()):
        raise ConfigError(f"preprocess.{name}: {values} is out of range: give finite numbers")
    return np.broadcast_to(given, (channels,))
