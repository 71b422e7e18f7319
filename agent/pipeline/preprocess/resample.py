"""Change the sampling rate of a stream by a ratio of whole numbers."""

from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

from agent.errors import ConfigError
from agent.pipeline.sample import Floats

MAX_FACTOR = 1000
_BLOCK_OUTPUTS = 64
_KAISER_BETA = 5.0
_ZERO_CROSSINGS = 10


class Resampler:
    """Polyphase windowed-sinc resampling, the filter of `scipy.signal.resample_poly`.

    Outputs come in blocks of a fixed number, each from a fixed span of inputs: the blocks start at
    the same places however the stream is cut into chunks, so the values are the same bit for bit.
    """

    def __init__(self, source_hz: int, target_hz: int) -> None:
        """Prepare the filter, zero before the first sample.

        Raises:
            ConfigError: the ratio of the rates needs too long a filter.
        """
        common = gcd(source_hz, target_hz)
        up, down = target_hz // common, source_hz // common
        if max(up, down) > MAX_FACTOR:
            raise ConfigError(
                f"preprocess.sample_rate_hz: sound at {source_hz} Hz cannot become {target_hz} Hz, "
                f"since {up}/{down} is no ratio of small numbers: set the source's sample_rate_hz "
                f"to {target_hz} or a multiple"
            )
        repeat = ceil(_BLOCK_OUTPUTS / up)
        reach = _ZERO_CROSSINGS * max(up, down)
        history = reach // up
        outputs = repeat * up
        span = ((outputs - 1) * down + reach) // up + history + 1
        # Output i lies at i × down, input j at (j - history) × up on their common fine grid.
        lag = np.arange(outputs)[:, np.newaxis] * down - (np.arange(span) - history) * up
        taps = _low_pass(reach) * up
        inside = np.abs(lag) <= reach
        self._matrix = np.where(inside, taps[np.clip(lag + reach, 0, 2 * reach)], 0).astype(
            np.float32
        )
        self._step = repeat * down
        self._held = np.zeros(history, np.float32)

    def push(self, signal: Floats) -> Floats:
        """Take samples at the source's rate; return those at the target's rate that are ready."""
        held = np.concatenate((self._held, signal))
        outputs, span = self._matrix.shape
        blocks = max(0, (len(held) - span) // self._step + 1)
        resampled = np.empty((blocks, outputs), np.float32)
        for block, output in enumerate(resampled):
            start = block * self._step
            np.dot(self._matrix, held[start : start + span], out=output)
        self._held = held[blocks * self._step :].copy()
        return resampled.ravel()


def _low_pass(reach: int) -> NDArray[np.float64]:
    """Windowed sinc with 2 × reach + 1 taps, -6 dB at the lower of the two Nyquist rates."""
    cutoff = _ZERO_CROSSINGS / reach
    lag = np.arange(-reach, reach + 1)
    taps = cutoff * np.sinc(cutoff * lag) * np.kaiser(2 * reach + 1, _KAISER_BETA)
    return np.asarray(taps / taps.sum())
