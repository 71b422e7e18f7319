"""Quantization against its formula, and against what the formula promises."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.protocol import TensorInfo
from agent.runtime.quantization import dequantize, quantize

DTYPES = st.sampled_from(["int8", "uint8", "int16"])


def tensor(dtype: str, scale: float, zero_point: int) -> TensorInfo:
    return TensorInfo("x", (1,), dtype, scale, zero_point)


@pytest.mark.parametrize(
    ("real", "scale", "zero_point", "stored"),
    [
        ([0.0, 0.5, -0.5], 1.0, 0, [0, 1, -1]),
        ([1.5, -1.5, 2.4999], 1.0, 0, [2, -2, 2]),
        ([0.0, 1.0, 0.00390625], 0.00390625, -128, [-128, 127, -127]),
        ([1e30, -1e30, np.inf, -np.inf, np.nan], 0.5, 3, [127, -128, 127, -128, 0]),
    ],
)
def test_closed_forms(real, scale, zero_point, stored):
    assert quantize(np.array(real), tensor("int8", scale, zero_point)).tolist() == stored


@given(DTYPES, st.integers(-20, 10), st.data())
def test_stored_values_survive_the_round_trip(dtype, exponent, data):
    limits = np.iinfo(dtype)
    whole = st.integers(int(limits.min), int(limits.max))
    info = tensor(dtype, 2.0**exponent, data.draw(whole))
    stored = np.array(data.draw(st.lists(whole, min_size=1)), dtype)
    assert np.array_equal(quantize(dequantize(stored, info), info), stored)


@given(
    st.floats(-100, 100, width=32), st.sampled_from([0.25, 0.1, 1 / 255]), st.integers(-128, 127)
)
def test_the_error_is_at_most_half_a_step_inside_the_range(real, scale, zero_point):
    info = tensor("int8", scale, zero_point)
    stored = int(quantize(np.array([real]), info)[0])
    exact = Fraction(real) / Fraction(float(np.float32(scale))) + zero_point
    nearest = min(max(exact, -128), 127)
    assert abs(nearest - stored) <= Fraction(1, 2) + Fraction(1, 1000)


@given(st.integers(-128, 127), st.integers(-128, 127))
def test_dequantize_is_the_formula(stored, zero_point):
    real = dequantize(np.array([stored], np.int8), tensor("int8", 0.5, zero_point))
    assert real.dtype == np.float32
    assert real[0] == 0.5 * (stored - zero_point)
