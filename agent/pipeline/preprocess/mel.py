"""Mel filters and the discrete cosine transform, as librosa and TensorFlow publish them."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

MelScale = Literal["htk", "slaney", "tensorflow"]
Reals = NDArray[np.float64]


def hz_to_mel(frequency_hz: Reals, scale: MelScale) -> Reals:
    """HTK: 2595 log10(1 + f/700). Slaney: linear to 1 kHz, then 27 steps for a factor of 6.4."""
    if scale != "slaney":
        return np.asarray(2595.0 * np.log10(1.0 + frequency_hz / 700.0))
    linear = 3 * frequency_hz / 200
    above = 15 + 27 * np.log(np.maximum(frequency_hz, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(frequency_hz < 1000.0, linear, above)


def mel_to_hz(mel: Reals, scale: MelScale) -> Reals:
    """Inverse of `hz_to_mel`."""
    if scale != "slaney":
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    above = 1000.0 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27)
    return np.where(mel < 15, 200 * mel / 3, above)


def mel_filters(
    rate_hz: int,
    fft_size: int,
    bins: int,
    band_hz: tuple[float, float],
    scale: MelScale,
    norm: Literal["none", "slaney"],
) -> Reals:
    """Return triangular filters [fft_size // 2 + 1, bins].

    Args:
        rate_hz: sampling rate.
        fft_size: length of the transform.
        bins: number of filters.
        band_hz: lowest and highest frequency.
        scale: htk and slaney are librosa's filters, with edges straight over frequency;
            tensorflow is tf.signal's, on the HTK scale with edges straight over mel and without
            the constant part.
        norm: slaney gives each filter the area of one.
    """
    frequency = np.linspace(0, rate_hz / 2, fft_size // 2 + 1)
    low, high = hz_to_mel(np.array(band_hz, np.float64), scale)
    corners_mel = np.linspace(low, high, bins + 2)
    corners_hz = mel_to_hz(corners_mel, scale)
    if scale == "tensorflow":
        position, corners = hz_to_mel(frequency, scale), corners_mel
    else:
        position, corners = frequency, corners_hz
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (position[:, np.newaxis] - left) / (centre - left)
    falling = (right - position[:, np.newaxis]) / (right - centre)
    filters: Reals = np.maximum(0, np.minimum(rising, falling))
    if scale == "tensorflow":
        filters[0] = 0
    if norm == "slaney":
        filters *= 2 / (corners_hz[2:] - corners_hz[:-2])
    return filters


def dct_matrix(
    size: int, coefficients: int, convention: Literal["ortho", "tensorflow"] = "ortho"
) -> Reals:
    """Return DCT-II as [size, coefficients].

    Args:
        size: length of the input.
        coefficients: how many outputs to keep.
        convention: ortho is SciPy's and librosa's; tensorflow is that of
            tf.signal.mfccs_from_log_mel_spectrograms, whose coefficient 0 is √2 times as large.
    """
    angle = np.pi / size * np.outer(np.arange(size) + 0.5, np.arange(coefficients))
    matrix: Reals = np.cos(angle) * np.sqrt(2 / size)
    if convention == "ortho":
        matrix[:, 0] /= np.sqrt(2)
    return matrix
