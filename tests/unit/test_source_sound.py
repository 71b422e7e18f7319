import io
import wave

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import soundfile
from hypothesis import given

from agent.sources.sound import decode_wav


def wav(samples, rate_hz=16000, subtype="PCM_16"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, subtype, format="WAV")
    return file.getvalue()


@given(hnp.arrays(np.int16, st.tuples(st.integers(1, 50), st.integers(1, 4))))
def test_channels_are_averaged(samples):
    decoded, rate_hz = decode_wav(wav(samples, 8000))
    assert rate_hz == 8000
    assert decoded.dtype == np.int16
    assert (decoded == np.rint(samples.mean(axis=1))).all()


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
def test_every_width_agrees_with_libsndfile(subtype):
    samples = np.random.default_rng(2).integers(-32768, 32768, 400).astype(np.int16)
    data = wav(samples, 44100, subtype)
    theirs, _ = soundfile.read(io.BytesIO(data), dtype="int16")
    assert (decode_wav(data)[0] == theirs).all()


def test_float_sound_is_refused_by_name():
    with pytest.raises(ValueError, match="PCM WAV"):
        decode_wav(wav(np.zeros(10), subtype="FLOAT"))


def test_a_header_that_claims_two_gigabytes_is_refused():
    data = bytearray(wav(np.zeros(10, np.int16)))
    data[4:8] = data[40:44] = (2**31 - 100).to_bytes(4, "little")
    with pytest.raises(ValueError, match="shorter"):
        decode_wav(bytes(data))


def test_no_samples():
    file = io.BytesIO()
    with wave.open(file, "wb") as empty:
        empty.setnchannels(1)
        empty.setsampwidth(2)
        empty.setframerate(8000)
    with pytest.raises(ValueError, match="no samples"):
        decode_wav(file.getvalue())


WHOLE = wav(np.arange(200, dtype=np.int16).reshape(100, 2))


@given(st.data())
def test_damage_is_refused_or_gives_sound(data):
    damaged = bytearray(WHOLE[: data.draw(st.integers(0, len(WHOLE)))])
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, min(60, len(damaged)) - 1))] = data.draw(
            st.integers(0, 255)
        )
    try:
        samples, rate_hz = decode_wav(bytes(damaged))
    except ValueError:
        return
    assert samples.dtype == np.int16
    assert len(samples) <= len(WHOLE)
    assert rate_hz >= 1000
