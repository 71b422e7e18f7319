"""LEB128 against the numbers that its specification prints, and against any bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.convert.leb128 import read_i32, read_u32, write_i32, write_u32
from toolchain.errors import ModelRefused


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (624485, "e58e26"), (2**32 - 1, "ffffffff0f")],
)
def test_unsigned_numbers_of_the_specification(value, encoded):
    assert write_u32(value).hex() == encoded
    assert read_u32(memoryview(bytes.fromhex(encoded)), 0) == (value, len(encoded) // 2)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (2, "02"),
        (-2, "7e"),
        (127, "ff00"),
        (-127, "817f"),
        (128, "8001"),
        (-128, "807f"),
        (-123456, "c0bb78"),
        (-(2**31), "8080808078"),
        (2**31 - 1, "ffffffff07"),
    ],
)
def test_signed_numbers_of_the_specification(value, encoded):
    assert write_i32(value).hex() == encoded
    assert read_i32(memoryview(bytes.fromhex(encoded)), 0) == (value, len(encoded) // 2)


@given(st.integers(0, 2**32 - 1), st.binary(max_size=4), st.binary(max_size=4))
def test_an_unsigned_number_comes_back(value, before, behind):
    encoded = write_u32(value)
    data = memoryview(before + encoded + behind)
    assert read_u32(data, len(before)) == (value, len(before) + len(encoded))


@given(st.integers(-(2**31), 2**31 - 1), st.binary(max_size=4))
def test_a_signed_number_comes_back(value, behind):
    encoded = write_i32(value)
    assert read_i32(memoryview(encoded + behind), 0) == (value, len(encoded))


def test_padding_is_valid():
    padded = memoryview(bytes.fromhex("8380808000"))
    assert read_u32(padded, 0) == read_i32(padded, 0) == (3, 5)


@pytest.mark.parametrize("encoded", ["", "80", "8080808080", "808080808000", "ffffffff1f"])
def test_what_has_no_end_or_is_too_large_is_refused(encoded):
    with pytest.raises(ModelRefused, match="the number at byte 0"):
        read_u32(memoryview(bytes.fromhex(encoded)), 0)


@pytest.mark.parametrize("encoded", ["", "ff", "ffffffffff", "ffffffff0f", "8080808070"])
def test_a_signed_number_that_is_too_large_is_refused(encoded):
    with pytest.raises(ModelRefused, match="the number at byte 0"):
        read_i32(memoryview(bytes.fromhex(encoded)), 0)


@given(st.binary(max_size=8), st.integers(0, 10))
def test_any_bytes_are_a_number_inside_them_or_refused(data, start):
    for read, low, high in ((read_u32, 0, 2**32), (read_i32, -(2**31), 2**31)):
        try:
            value, end = read(memoryview(data), start)
        except ModelRefused:
            continue
        assert low <= value < high
        assert start < end <= min(len(data), start + 5)
