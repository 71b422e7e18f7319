import io

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from agent.sources.array_file import MAX_HEADER_BYTES, parse_header


def npy(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle=True)
    return file.getvalue()


def header_of(text, version=1):
    body = text.encode("latin1") + b"\n"
    size = len(body).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + body


DTYPES = st.one_of(
    hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(), st.just(np.bool_)
)


@given(
    hnp.arrays(DTYPES, hnp.array_shapes(max_dims=4, max_side=4)),
    st.booleans(),
    st.sampled_from([(1, 0), (2, 0), (3, 0)]),
)
def test_numpy_s_own_files(array, fortran, version):
    data = npy(np.asfortranarray(array) if fortran else array, version)
    header = parse_header(data[:MAX_HEADER_BYTES], len(data))
    assert header.shape == array.shape
    assert header.dtype == array.dtype
    assert header.offset + header.data_bytes == len(data)
    with pytest.raises(ValueError, match="claims 1 bytes more"):
        parse_header(data[:MAX_HEADER_BYTES], len(data) - 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (2147483648,)}", "claims"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}", "shape"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-3,)}", "shape"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (0, 4)}", "none is empty"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': ()}", "first axis"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "numbers are needed"),
        ("{'descr': '<U4', 'fortran_order': False, 'shape': (1,)}", "numbers are needed"),
        ("{'descr': [('a', '<i2')], 'fortran_order': False, 'shape': (1,)}", "numbers are needed"),
        ("{'descr': '|u1', 'shape': (1,)}", "no .npy header"),
        ("(" * 900, "no .npy header"),
        ("__import__('os')", "no .npy header"),
    ],
)
def test_lies_are_refused_in_one_line(text, reason):
    with pytest.raises(ValueError, match=reason) as refusal:
        parse_header(header_of(text) + bytes(8), 1000)
    assert "\n" not in str(refusal.value)


def test_objects_are_refused_without_unpickling():
    data = npy(np.array([print], dtype=object))
    with pytest.raises(ValueError, match="object"):
        parse_header(data, len(data))


def test_a_header_longer_than_what_is_read():
    with pytest.raises(ValueError, match="header"):
        parse_header(header_of("{" + " " * 70000 + "}", 2)[:MAX_HEADER_BYTES], 10**6)


WHOLE = npy(np.arange(12, dtype=np.int16).reshape(3, 4))


@given(st.data())
def test_damage_is_refused_or_within_the_file(data):
    damaged = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, 127))] = data.draw(st.integers(0, 255))
    try:
        header = parse_header(bytes(damaged), len(damaged))
    except ValueError:
        return
    assert header.offset + header.data_bytes <= len(WHOLE)
    assert header.dtype.kind in "biuf"
