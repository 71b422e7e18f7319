"""Sound files as mono int16."""

import io
import wave

import numpy as np
from numpy.typing import NDArray

RATES_HZ = range(1000, 768_001)


def decode_wav(data: bytes) -> tuple[NDArray[np.int16], int]:
    """Decode PCM WAV of 8, 16, 24 or 32 bits; channels are averaged.

    Returns:
        (samples [n], rate in Hz)

    Raises:
        ValueError: not such a file, cut short, or empty.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, rate_hz, count, *_ = file.getparams()
            if count * channels * width > len(data):
                raise ValueError(f"header claims {count} frames, the file is shorter")
            frames = file.readframes(count)
    except (wave.Error, EOFError, ZeroDivisionError, RuntimeError) as error:
        raise ValueError(f"no PCM WAV: {error or 'cut short'}") from None
    if len(frames) != count * channels * width or not count:
        raise ValueError("no samples, or cut short")
    if rate_hz not in RATES_HZ:
        raise ValueError(f"rate of {rate_hz} Hz is outside {RATES_HZ[0]} to {RATES_HZ[-1]}")
    samples = _to_int16(frames, width).reshape(count, channels)
    if channels == 1:
        return samples[:, 0], rate_hz
    return np.rint(samples.mean(axis=1, dtype=np.float64)).astype(np.int16), rate_hz


def _to_int16(frames: bytes, width: int) -> NDArray[np.int16]:
    if width == 1:
        return (np.frombuffer(frames, np.uint8).astype(np.int16) - 128) << 8
    if width == 2:
        return np.frombuffer(frames, "<i2")
    # The two highest of 3 or 4 little-endian bytes are the sample, less its lowest bits.
    parts = np.frombuffer(frames, np.uint8).reshape(-1, width)[:, width - 2 :]
    return np.ascontiguousarray(parts).view("<i2")[:, 0]
