"""Fixed-point arithmetic against its definitions and against real numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.lowering.fixed_point import (
    INT32_MAX,
    exp_on_negative,
    mbqm,
    rdbpot,
    reciprocal,
    srdhm,
    wrap,
)
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.operators.softmax import exponentials
from toolchain.lowering.window import same_padding

int32 = st.integers(-(2**31), 2**31 - 1)
multipliers = st.integers(2**30, 2**31 - 1)


def truncated(numerator: int, denominator: int) -> int:
    return abs(numerator) // denominator * (1 if numerator >= 0 else -1)


@given(int32, int32)
def test_srdhm_is_gemmlowps(a, b):
    product = a * b
    nudge = 2**30 if product >= 0 else 1 - 2**30
    saturates = a == b == -(2**31)
    assert srdhm(a, b) == (INT32_MAX if saturates else truncated(product + nudge, 2**31))


@given(int32, st.integers(0, 31))
def test_rdbpot_is_gemmlowps(x, exponent):
    mask = 2**exponent - 1
    threshold = (mask >> 1) + (x < 0)
    assert rdbpot(x, exponent) == (x >> exponent) + ((x & mask) > threshold)


@given(st.integers(-(2**20), 2**20), multipliers, st.integers(-20, 8))
def test_mbqm_is_within_one_of_the_real_product(x, multiplier, shift):
    exact = x * multiplier * 2.0 ** (shift - 31)
    assert abs(mbqm(x, multiplier, shift) - exact) <= 1


@given(st.floats(2**-30, 2**20))
def test_a_multiplier_stands_for_its_factor(factor):
    multiplier, shift = quantize_multiplier(factor)
    assert 2**30 <= multiplier < 2**31
    assert math.isclose(multiplier * 2.0 ** (shift - 31), factor, rel_tol=2**-30)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (2**30, 1)),
        (0.5, (2**30, 0)),
        (1 - 2**-40, (2**30, 1)),
        (2.0**-33, (0, 0)),
        (2.0**40, (2**31 - 1, 30)),
    ],
)
def test_multipliers_at_the_edges(factor, expected):
    assert quantize_multiplier(factor) == expected


@given(st.integers(-(2**31) + 1, 0), st.sampled_from([4, 5]))
def test_exp_is_near_the_real_one(a, integer_bits):
    exact = math.exp(a / 2 ** (31 - integer_bits))
    assert abs(exp_on_negative(a, integer_bits) / 2**31 - exact) < 2**-20


@given(st.integers(0, 2**31 - 1))
def test_reciprocal_is_near_the_real_one(a):
    assert abs(reciprocal(a) / 2**31 - 1 / (1 + a / 2**31)) < 2**-26


@given(st.integers(-(2**40), 2**40))
def test_wrap_is_that_of_int32(x):
    assert wrap(x) == np.array(x).astype(np.int32)


@given(st.floats(2**-12, 4))
def test_exponentials_fall_from_one(step):
    table = exponentials(step)
    assert table[0] == INT32_MAX
    assert table == sorted(table, reverse=True)
    assert all(
        value == 0 or abs(value / 2**31 - math.exp(-step * i)) < 2**-20
        for i, value in enumerate(table)
    )


@pytest.mark.parametrize(
    ("case", "before"),
    [((96, 48, 2, 3, 1), 0), ((49, 25, 2, 10, 1), 4), ((5, 5, 1, 3, 2), 2), ((8, 4, 2, 1, 1), 0)],
)
def test_same_padding_puts_the_odd_one_behind(case, before):
    assert same_padding(*case) == before
