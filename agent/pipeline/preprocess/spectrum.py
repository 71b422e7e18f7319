"""A stream of samples to spectral features, one row for each frame."""

import numpy as np

from agent.config.processing import AudioPreprocess
from agent.errors import ConfigError
from agent.pipeline.preprocess.mel import Reals, dct_matrix, mel_filters
from agent.pipeline.sample import Floats

MAX_FFT_SIZE = 16384


class SpectralFrames:
    """Log-mel energies or MFCC of overlapping frames; frame i begins at sample i × hop.

    A frame is weighted by a periodic Hann window and padded with zeros to the size of the
    transform; there is no padding at the beginning of the stream. Each frame is computed once and
    alone, in float64, so the cutting of the stream into chunks changes no bit.

    Attributes:
        width: features of a frame.
        hop: samples between frames.
    """

    def __init__(self, config: AudioPreprocess) -> None:
        """Make window, filters and transform.

        Raises:
            ConfigError: frame, transform, band or number of coefficients do not fit each other.
        """
        rate_hz = config.sample_rate_hz
        self._frame = round(config.frame_ms * rate_hz / 1000)
        self.hop = round(config.stride_ms * rate_hz / 1000)
        if min(self._frame, self.hop) < 1:
            raise ConfigError(
                f"preprocess.frame_ms and stride_ms: {config.frame_ms:g} and {config.stride_ms:g} "
                f"are less than a sample at {rate_hz} Hz: give milliseconds, such as 30 and 20"
            )
        self._fft_size = _fft_size(config, self._frame)
        if not config.lower_hz < config.upper_hz <= rate_hz / 2:
            raise ConfigError(
                f"preprocess.upper_hz: the band {config.lower_hz:g} to {config.upper_hz:g} Hz does "
                f"not lie within 0 to {rate_hz / 2:g} Hz, half the sample rate: narrow it"
            )
        self._window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self._frame) / self._frame)
        self._filters = mel_filters(
            rate_hz,
            self._fft_size,
            config.mel_bins,
            (config.lower_hz, config.upper_hz),
            config.mel_scale,
            config.mel_norm,
        )
        self.width = config.mel_bins
        self._dct: Reals | None = None
        if config.features == "mfcc":
            if config.coefficients > config.mel_bins:
                raise ConfigError(
                    f"preprocess.coefficients: {config.coefficients} is more than the "
                    f"{config.mel_bins} mel_bins: lower it"
                )
            self.width = config.coefficients
            self._dct = dct_matrix(config.mel_bins, config.coefficients, config.dct)
        self._config = config
        self._held = np.empty(0, np.float32)
        self._skip = 0

    def push(self, signal: Floats) -> Floats:
        """Take samples within ±1; return the features of the frames that are whole now."""
        skipped = min(self._skip, len(signal))
        self._skip -= skipped
        held = np.concatenate((self._held, signal[skipped:]))
        frames = max(0, (len(held) - self._frame) // self.hop + 1)
        rows = np.empty((frames, self.width), np.float32)
        for index in range(frames):
            start = index * self.hop
            rows[index] = self._features(held[start : start + self._frame])
        used = min(frames * self.hop, len(held))
        self._skip += frames * self.hop - used
        self._held = held[used:].copy()
        return rows

    def _features(self, frame: Floats) -> Reals:
        spectrum = np.fft.rfft(frame * self._window, self._fft_size)
        strength = np.abs(spectrum)
        if self._config.power == 2:
            strength *= strength
        logarithm = self._log(strength @ self._filters)
        return logarithm if self._dct is None else logarithm @ self._dct

    def _log(self, energy: Reals) -> Reals:
        floor = self._config.log_floor
        if self._config.log == "db":
            decibels: Reals = np.log10(np.maximum(energy, floor)) * (20 / self._config.power)
            return decibels
        logarithm: Reals = np.log(energy + floor)
        return logarithm if self._config.log == "ln" else logarithm / np.log(10)


def _fft_size(config: AudioPreprocess, frame: int) -> int:
    size = config.fft_size or 1 << (frame - 1).bit_length()
    if size < frame or size > MAX_FFT_SIZE:
        raise ConfigError(
            f"preprocess.fft_size: {size} does not fit a frame of {frame} samples: take "
            f"{frame} to {MAX_FFT_SIZE}, or a shorter frame_ms"
        )
    return max(size, 2)
