"""Streaming sound into audio models."""

import numpy as np

from agent.config.processing import AudioPreprocess
from agent.errors import ConfigError
from agent.pipeline.preprocess.describe import describe_sample, describe_tensor, squeezed
from agent.pipeline.preprocess.quantize import Quantizer
from agent.pipeline.preprocess.resample import Resampler
from agent.pipeline.preprocess.rows import RowWindow
from agent.pipeline.preprocess.spectrum import SpectralFrames
from agent.pipeline.sample import Floats, Sample
from agent.pipeline.sample import Tensor as Stored
from agent.runtime.protocol import TensorInfo

_BLOCK_SAMPLES = 16384
_FULL_SCALE = np.float32(1 / 32768)


class AudioPreprocessor:
    """Chunks of sound, of any length, to windows of waveform, log-mel energies or MFCC.

    Samples are taken as -1 to 1. Only new frames are computed; they are stored quantized. The
    windows do not depend on how the sound is cut into chunks.
    """

    def __init__(
        self,
        config: AudioPreprocess,
        tensor: TensorInfo,
        previous: "AudioPreprocessor | None" = None,
    ) -> None:
        """Prepare for `tensor`: [frames, features] or flat, with any dimensions of one.

        The sound that `previous`, of the same configuration, has of a window goes on as it is.

        Raises:
            ConfigError: the settings do not fit each other, or the tensor.
        """
        self._config = config
        self._tensor = tensor
        self._quantizer = Quantizer(tensor)
        spectral = config.features != "waveform"
        self._frames = SpectralFrames(config) if spectral else None
        width = self._frames.width if self._frames else 1
        window = _window(tensor, width, config)
        self._window = RowWindow(window, self._stride(window), width, self._quantizer.dtype)
        self._rate_hz = config.sample_rate_hz
        self._resampler: Resampler | None = None
        if previous is not None and previous._tensor.shape == tensor.shape:
            self._follow(previous)

    def push(self, sample: Sample) -> int:
        """Take int16 samples; a change of their rate starts the window anew.

        Raises:
            ConfigError: the source gives no sound, or its rate cannot be converted.
        """
        data = sample.data
        if data.ndim != 1 or data.dtype != np.int16 or sample.rate_hz <= 0:
            raise ConfigError(
                f"preprocess.kind audio: the source gives {describe_sample(sample)}, but sound is "
                "int16 [samples] with a rate: choose another source or preprocess.kind"
            )
        if sample.rate_hz != self._rate_hz:
            self._restart(sample.rate_hz)
        self._window.trim()
        for start in range(0, len(data), _BLOCK_SAMPLES):
            self._take(data[start : start + _BLOCK_SAMPLES] * _FULL_SCALE)
        return self._window.ready

    def fill(self, tensor: Stored) -> None:
        """Write the oldest window."""
        self._window.take(tensor)

    def _follow(self, previous: "AudioPreprocessor") -> None:
        self._frames, self._resampler = previous._frames, previous._resampler
        self._rate_hz = previous._rate_hz
        old, new = previous._quantizer, self._quantizer
        self._window.take_over(previous._window, lambda a, b: new.store(old.real(a), b))

    def _take(self, signal: Floats) -> None:
        if self._resampler is not None:
            signal = self._resampler.push(signal)
        rows = signal[:, np.newaxis] if self._frames is None else self._frames.push(signal)
        if len(rows):
            room = self._window.append(len(rows))
            self._quantizer.store(rows[len(rows) - len(room) :], room)

    def _restart(self, rate_hz: int) -> None:
        wanted_hz = self._config.sample_rate_hz
        self._resampler = None if rate_hz == wanted_hz else Resampler(rate_hz, wanted_hz)
        self._rate_hz = rate_hz
        self._window.clear()
        if self._frames is not None:
            self._frames = SpectralFrames(self._config)

    def _stride(self, window: int) -> int:
        """Rows between two model inputs."""
        every_ms = self._config.every_ms
        if every_ms is None:
            return window
        row_ms = 1000 / self._config.sample_rate_hz * (self._frames.hop if self._frames else 1)
        rows = round(every_ms / row_ms)
        if rows < 1 or (self._frames and abs(rows * row_ms - every_ms) > 1e-3):
            raise ConfigError(
                f"preprocess.every_ms: {every_ms:g} is no multiple of stride_ms: "
                f"take {max(rows, 1) * row_ms:g}"
            )
        return rows


def _window(tensor: TensorInfo, width: int, config: AudioPreprocess) -> int:
    """Rows of one model input."""
    size = int(np.prod(tensor.shape))
    rows = size // width
    flat, rectangle = squeezed((size,)), squeezed((rows, width))
    if size == 0 or size % width or squeezed(tensor.shape) not in (flat, rectangle):
        setting = "coefficients" if config.features == "mfcc" else "mel_bins"
        remedy = "another features" if config.features == "waveform" else setting
        raise ConfigError(
            f"preprocess.features: {config.features} has {width} values a row, but the model's "
            f"{describe_tensor(tensor)}: choose {remedy} accordingly"
        )
    return rows
