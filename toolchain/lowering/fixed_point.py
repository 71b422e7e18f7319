"""TFLite's fixed-point arithmetic on Python integers, for tables that are made at conversion.

The engine has the same in `engine/fixed_point`. Sources: TFLite's kernels/internal/common.cc and
gemmlowp's fixedpoint.h.
"""

INT32_MAX = 2**31 - 1
_MASK = 2**32 - 1
# exp(-2^k) in Q0.31, for k from -2.
_EXP_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def srdhm(a: int, b: int) -> int:
    """Saturating rounding doubling high multiplication."""
    return min((a * b + 2**30) >> 31, INT32_MAX)


def rdbpot(x: int, exponent: int) -> int:
    """Rounding division by a power of two, halves away from zero."""
    half = (1 << exponent) >> 1
    return (x + half) >> exponent if x >= 0 else -((-x + half) >> exponent)


def mbqm(x: int, multiplier: int, shift: int) -> int:
    """Multiply by a quantized multiplier: x · multiplier · 2^(shift − 31), rounded twice."""
    return rdbpot(srdhm(wrap(x << max(shift, 0)), multiplier), max(-shift, 0))


def wrap(x: int) -> int:
    """The int32 that has the low 32 bits of x."""
    return ((x + 2**31) & _MASK) - 2**31


def exp_on_negative(a: int, integer_bits: int) -> int:
    """exp(a) in Q0.31, for a ≤ 0 with so many integer bits; 0 gives 2^31 − 1."""
    if a == 0:
        return INT32_MAX
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    modulo = (a & (quarter - 1)) - quarter
    result = _exp_on_quarter(modulo << integer_bits)
    remainder = modulo - a
    for exponent, factor in enumerate(_EXP_FACTORS, -2):
        if exponent < integer_bits and remainder >> (fraction_bits + exponent) & 1:
            result = srdhm(result, factor)
    return result


def _exp_on_quarter(a: int) -> int:
    """exp(a) in Q0.31 for a in [−1/4, 0): a Taylor series around −1/8."""
    x = a + 2**28
    x2 = srdhm(x, x)
    x3, x4 = srdhm(x2, x), srdhm(x2, x2)
    tail = rdbpot(srdhm(rdbpot(x4, 2) + x3, 715827883) + x2, 1)
    return 1895147668 + srdhm(1895147668, x + tail)


def reciprocal(a: int) -> int:
    """1 / (1 + a), both Q0.31, for a in [0, 1)."""
    return saturate(_half_reciprocal(a) << 1)


def one_minus_over_one_plus(a: int) -> int:
    """(1 − a) / (1 + a), both Q0.31, for a in [0, 1)."""
    return saturate((_half_reciprocal(a) - 2**29) << 2)


def _half_reciprocal(a: int) -> int:
    """1 / ((1 + a) / 2) in Q2.29: three Newton steps from 48/17 − 32/17 · (1 + a) / 2."""
    half = (a + INT32_MAX + 1) // 2
    x = 1515870810 + srdhm(half, -1010580540)
    for _ in range(3):
        x += saturate(srdhm(x, 2**29 - srdhm(half, x)) << 2)
    return x


def saturate(x: int, bits: int = 32) -> int:
    """The nearest number of so many bits, sign included."""
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, x))
