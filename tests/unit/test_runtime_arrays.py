"""Arrays from outside: numpy is the oracle for good files, nothing else may come of bad ones."""

import io
import struct
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from agent.errors import ModelError
from agent.infer.arrays import MAX_ARRAY_BYTES, read_npy, read_npz, write_npz
from agent.infer.fit import fit
from agent.runtime.protocol import TensorInfo
from tests.support.npy import npy

NUMBERS = (
    npst.integer_dtypes()
    | npst.unsigned_integer_dtypes()
    | npst.floating_dtypes(sizes=(16, 32, 64))
)


def header(text: str, version: bytes = b"\1\0", length: int | None = None) -> bytes:
    size = len(text) if length is None else length
    packed = struct.pack("<H" if version[0] == 1 else "<I", size)
    return b"\x93NUMPY" + version + packed + text.encode()


@given(npst.arrays(NUMBERS, npst.array_shapes(min_dims=0, min_side=0, max_side=4)), st.booleans())
def test_what_numpy_saves_is_read(array, fortran):
    if fortran:
        array = np.asfortranarray(array)
    read = read_npy(npy(array))
    assert read.dtype == array.dtype
    assert np.array_equal(read, array, equal_nan=array.dtype.kind == "f")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is not an array"),
        (b"hello", "is not an array"),
        (npy(np.zeros(4))[:-1], "claims 32 bytes of numbers and holds 31"),
        (npy(np.zeros(4)) + b"\0", "claims 32 bytes of numbers and holds 33"),
        (npy(np.array([{}]), allow_pickle=True), "holds object"),
        (npy(np.array(["a"])), "holds <U1"),
        (npy(np.zeros(1, [("a", "i4")])), "plain numbers are wanted"),
        (npy(np.zeros(2, complex)), "holds complex128"),
        (
            header("{'descr': '|i1', 'fortran_order': False, 'shape': (2147483648,)}"),
            "claims 2147483648 bytes of numbers and holds 0",
        ),
        (header("{'descr': '|i1', 'fortran_order': False, 'shape': (-1, -1)} "), "claims"),
        (header("{}", b"\2\0", 2**32 - 1), "is not an array"),
        (header("{}", b"\7\0"), "is not an array"),
        (header("__import__('os').abort()"), "is not an array"),
        (header("(" * 9000), "is not an array"),
        (header("{'descr': ('|i1', (9,)), 'fortran_order': False, 'shape': ()}"), "plain numbers"),
    ],
)
def test_what_is_not_plain_numbers_is_refused(data, text):
    with pytest.raises(ModelError, match=text) as refusal:
        read_npy(data)
    assert "\n" not in str(refusal.value)


GOOD_NPY = npy(np.arange(6, dtype=np.int8).reshape(2, 3))


@given(st.integers(0, 127), st.binary(min_size=1, max_size=3))
@settings(max_examples=300)
def test_a_damaged_header_is_read_or_refused(at, new):
    with suppress(ModelError):
        array = read_npy(GOOD_NPY[:at] + new + GOOD_NPY[at + len(new) :])
        assert array.nbytes <= len(GOOD_NPY)


@given(st.text(max_size=80), st.sampled_from([b"\1\0", b"\2\0", b"\3\0"]))
def test_any_header_is_read_or_refused(text, version):
    with suppress(ModelError):
        read_npy(header(text, version, len(text.encode())))


def test_several_arrays_under_any_name():
    arrays = {"file": np.arange(3), "a/b:0": np.zeros((2, 2), np.int8), "": np.ones(1, np.float32)}
    file = io.BytesIO()
    write_npz(file, arrays)
    read = read_npz(file.getvalue())
    assert {name: array.tolist() for name, array in read.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
    with np.load(io.BytesIO(file.getvalue())) as numpys:
        assert numpys["a/b:0"].tolist() == [[0, 0], [0, 0]]


def test_what_numpy_saves_compressed_is_read():
    file = io.BytesIO()
    np.savez_compressed(file, x=np.arange(1000), y=np.zeros(3))
    assert read_npz(file.getvalue())["x"].sum() == 499_500


def test_a_bomb_is_refused_by_what_it_claims():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(1000))
    data = file.getvalue().replace(struct.pack("<I", 1000), struct.pack("<I", MAX_ARRAY_BYTES + 1))
    with pytest.raises(ModelError, match="claims 1073741825 bytes"):
        read_npz(data)


def _good_npz() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, x=np.arange(9), y=np.zeros(2))
    return file.getvalue()


GOOD_NPZ = _good_npz()


@given(st.lists(st.tuples(st.integers(0, len(GOOD_NPZ) - 1), st.integers(0, 255)), max_size=4))
@settings(max_examples=300)
def test_a_damaged_archive_is_read_or_refused(changes):
    data = bytearray(GOOD_NPZ)
    for at, new in changes:
        data[at] = new
    with suppress(ModelError):
        read_npz(bytes(data))


@given(st.integers(0, len(GOOD_NPZ) - 1))
def test_a_truncated_archive_is_refused(length):
    with pytest.raises(ModelError):
        read_npz(GOOD_NPZ[:length])


IMAGE = TensorInfo("image", (1, 2), "int8", 0.5, 3)
MASK = TensorInfo("mask", (2,), "float32")


def test_one_array_feeds_one_input_under_any_name():
    array = np.array([[1, 2]], np.int8)
    assert fit({"whatever": array}, [IMAGE], quantized=False)[0] is array


def test_several_arrays_go_by_the_names_of_the_inputs():
    arrays = {"mask": np.zeros(2, np.float32), "image": np.array([[1, 2]], np.int8)}
    fitted = fit(arrays, [IMAGE, MASK], quantized=False)
    assert [array.dtype.name for array in fitted] == ["int8", "float32"]


def test_floats_are_quantized_only_when_asked():
    floats = {"x": np.array([[0.5, -0.5]])}
    assert fit(floats, [IMAGE], quantized=True)[0].tolist() == [[4, 2]]
    with pytest.raises(ModelError, match="--quantize converts floats"):
        fit(floats, [IMAGE], quantized=False)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_no_integer_stands_for_is_refused(value):
    with pytest.raises(ModelError, match="cannot hold NaN or infinity"):
        fit({"x": np.array([[0.0, value]])}, [IMAGE], quantized=True)


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": np.zeros((1, 3), np.int8)}, r"wants image int8 \[1, 2\], got int8 \[1, 3\]"),
        ({"x": np.zeros((1, 2), np.uint8)}, r"wants image int8 \[1, 2\], got uint8 \[1, 2\]"),
        ({"x": np.zeros((2, 1), np.float32)}, "wants image"),
        ({}, "got nothing"),
        ({"image": np.zeros(1), "b": np.zeros(1)}, "got b, image"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_is_wanted(arrays, text):
    for quantized in (False, True):
        with pytest.raises(ModelError, match=text):
            fit(arrays, [IMAGE], quantized=quantized)
