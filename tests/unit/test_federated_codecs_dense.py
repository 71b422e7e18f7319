"""Codecs that send every parameter: error bounds, exact sums, and refusals of hostile bytes."""

import itertools
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from broker.contract.federated.codecs.bits import fractions
from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.codec import FRACTION_BITS, MAX_VALUE
from broker.contract.federated.codecs.spec import BLOCK, CodecOptions, CodecSpec, most_bytes
from broker.contract.federated.errors import CodecError
from broker.contract.federated.slices import Cut
from broker.contract.federated.update import MAX_EXAMPLES
from tests.support import codec_reference

DENSE = [
    CodecSpec("f32"),
    *(
        CodecSpec(name, CodecOptions(rounding=rounding))
        for name in ("int8", "int4")
        for rounding in ("nearest", "stochastic")
    ),
]
STEPS = {"int8": 127, "int4": 7}
VECTORS = hnp.arrays(
    np.float32,
    st.integers(1, 700),
    elements=st.floats(-MAX_VALUE, MAX_VALUE, width=32) | st.just(0.0),
)
each = pytest.mark.parametrize("spec", DENSE, ids=lambda s: f"{s.name}-{s.options.rounding}")


def through(spec: CodecSpec, vector: np.ndarray, cut: Cut, seed: int = 1) -> np.ndarray:
    codec = codec_of(spec, cut.parameters)
    encoded = codec.encode(vector, cut, seed)
    assert [len(data) for data in encoded] == [
        most_bytes(spec, cut.length(at), cut.parameters) for at in range(cut.per_vector)
    ]
    decoded = [codec.decode(d, cut.length(at), at, seed) for at, d in enumerate(encoded)]
    return np.concatenate([piece.values() for piece in decoded])


@given(VECTORS, st.integers(1, 700))
def test_f32_loses_nothing(vector, length):
    assert through(CodecSpec("f32"), vector, Cut(vector.size, length)).tobytes() == vector.tobytes()


@pytest.mark.parametrize("spec", DENSE[1:], ids=lambda s: f"{s.name}-{s.options.rounding}")
@given(VECTORS, st.integers(1, 700))
def test_an_error_is_at_most_a_step_of_its_block(spec, vector, length):
    cut = Cut(vector.size, length)
    got = through(spec, vector, cut)
    for at in range(cut.per_vector):
        piece, back = vector[cut.span(at)], got[cut.span(at)]
        for start in range(0, piece.size, BLOCK):
            block = piece[start : start + BLOCK].astype(np.float64)
            step = np.abs(block).max() / STEPS[spec.name]
            worst = np.abs(back[start : start + BLOCK] - block).max()
            share = 0.5 if spec.options.rounding == "nearest" else 1.0
            assert worst <= step * share * (1 + 1e-4) + 2.0**-26


@pytest.mark.parametrize("name", ["int8", "int4"])
def test_stochastic_rounding_is_unbiased_and_nearest_is_not(name):
    vector = np.full(300, 0.3, np.float32)
    vector[0] = float(STEPS[name])
    cut = Cut(300, 300)
    seeds = 400
    spec = CodecSpec(name, CodecOptions(rounding="stochastic"))
    mean = np.mean([through(spec, vector, cut, seed)[1:BLOCK] for seed in range(seeds)])
    deviation = (0.3 * 0.7 / (seeds * (BLOCK - 1))) ** 0.5
    assert abs(mean - 0.3) < 5 * deviation
    nearest = CodecSpec(name, CodecOptions(rounding="nearest"))
    assert through(nearest, vector, cut)[1:BLOCK].max() < 1e-6


def test_what_is_added_before_rounding_down_lies_evenly_within_one():
    words = struct.unpack("<1000H", codec_reference.stream(5, 3, "round", 2000))
    assert fractions(5, 3, 1000).tolist() == [(word + 0.5) / 65536 for word in words]


@each
@given(st.data())
def test_sums_are_the_same_in_any_order_and_follow_the_values(spec, data):
    length = data.draw(st.sampled_from([1, 255, 256, 257, 600]))
    codec, cut = codec_of(spec, length), Cut(length, length)
    updates = []
    for seed in range(3):
        vector = data.draw(hnp.arrays(np.float32, length, elements=st.floats(-100, 100, width=32)))
        weight = data.draw(st.integers(1, MAX_EXAMPLES // 4))
        decoded = codec.decode(codec.encode(vector, cut, seed)[0], length, 0, seed)
        updates.append((decoded, weight))
    sums = []
    for order in itertools.permutations(updates):
        total = np.zeros(length, np.int64)
        for decoded, weight in order:
            decoded.add_to(total, weight)
        sums.append(total)
    assert all(np.array_equal(total, sums[0]) for total in sums)
    exact = sum(weight * d.values().astype(np.float64) for d, weight in updates)
    scale = sum(weight * np.abs(d.values()).astype(np.float64) for d, weight in updates)
    slack = scale * 2.0**-23 + sum(weight for _, weight in updates) * 2.0**-FRACTION_BITS
    assert (np.abs(sums[0] * 2.0**-FRACTION_BITS - exact) <= slack).all()


@each
def test_sums_are_rounded_once_by_the_formula(spec):
    vector = np.array([0.1, -0.7, 3e-6, 0.0, 900.0], np.float32)
    codec, cut = codec_of(spec, 5), Cut(5, 5)
    data = codec.encode(vector, cut, 3)[0]
    sums = np.arange(5, dtype=np.int64)
    codec.decode(data, 5, 0, 3).add_to(sums, 77)
    if spec.name == "f32":
        expected = [round(float(v) * 2**32) * 77 + i for i, v in enumerate(vector)]
    else:
        quantum = round(float(np.frombuffer(data, "<f4", 1)[0]) * 2**32)
        if spec.name == "int8":
            integers = list(np.frombuffer(data, np.int8, 5, 4))
        else:
            halves = [half for byte in data[4:] for half in (byte & 15, byte >> 4)]
            integers = [half - 16 if half > 7 else half for half in halves[:5]]
        expected = [int(n) * quantum * 77 + i for i, n in enumerate(integers)]
    assert sums.tolist() == expected


@each
@given(vector=VECTORS, seed=st.integers(0, 2**64 - 1))
def test_the_same_seed_gives_the_same_bytes(spec, vector, seed):
    cut = Cut(vector.size, 300)
    codec = codec_of(spec, vector.size)
    assert codec.encode(vector, cut, seed) == codec.encode(vector, cut, seed)


@each
@pytest.mark.parametrize(
    "bad", [np.nan, np.inf, -np.inf, np.nextafter(np.float32(MAX_VALUE), np.float32(2 * MAX_VALUE))]
)
def test_a_vector_with_a_value_out_of_bounds_is_not_encoded(spec, bad):
    vector = np.zeros(300, np.float32)
    vector[123] = bad
    with pytest.raises(CodecError, match="not finite or beyond"):
        codec_of(spec, 300).encode(vector, Cut(300, 300), 0)
    with pytest.raises(CodecError, match="must be float32"):
        codec_of(spec, 300).encode(np.zeros(299, np.float32), Cut(300, 300), 0)
    with pytest.raises(CodecError, match="must be float32"):
        codec_of(spec, 300).encode(np.zeros(300, np.float64), Cut(300, 300), 0)


@each
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -2000.0, 2000.0])
def test_bytes_that_hold_a_number_out_of_bounds_are_refused(spec, bad):
    codec = codec_of(spec, 300)
    data = bytearray(codec.encode(np.ones(300, np.float32), Cut(300, 300), 0)[0])
    data[4:8] = np.float32(bad).tobytes()  # a value of f32, the second scale of the others
    with pytest.raises(CodecError, match="not finite"):
        codec.decode(bytes(data), 300, 0, 0)


def test_integers_that_no_encoder_writes_are_refused():
    wide = codec_of(CodecSpec("int8"), 3)
    with pytest.raises(CodecError, match="below -127"):
        wide.decode(np.float32(1).tobytes() + b"\x01\x80\x01", 3, 0, 0)
    narrow = codec_of(CodecSpec("int4"), 3)
    with pytest.raises(CodecError, match="below -7"):
        narrow.decode(np.float32(1).tobytes() + b"\x81\x01", 3, 0, 0)
    with pytest.raises(CodecError, match="half byte"):
        narrow.decode(np.float32(1).tobytes() + b"\x11\x11", 3, 0, 0)


@each
@given(change=st.integers(-400, 400).filter(bool))
def test_data_of_another_length_is_refused(spec, change):
    codec = codec_of(spec, 300)
    data = codec.encode(np.ones(300, np.float32), Cut(300, 300), 0)[0]
    spoilt = data + bytes(change) if change > 0 else data[:change]
    with pytest.raises(CodecError, match="must be"):
        codec.decode(spoilt, 300, 0, 0)


@each
@pytest.mark.parametrize("weight", [0, -1, MAX_EXAMPLES + 1, 10**12])
def test_a_weight_out_of_bounds_is_refused(spec, weight):
    codec = codec_of(spec, 4)
    decoded = codec.decode(codec.encode(np.ones(4, np.float32), Cut(4, 4), 0)[0], 4, 0, 0)
    with pytest.raises(CodecError, match="weight"):
        decoded.add_to(np.zeros(4, np.int64), weight)


@each
def test_the_largest_sum_fits(spec):
    codec = codec_of(spec, 300)
    vector = np.full(300, -MAX_VALUE, np.float32)
    decoded = codec.decode(codec.encode(vector, Cut(300, 300), 0)[0], 300, 0, 0)
    sums = np.zeros(300, np.int64)
    decoded.add_to(sums, MAX_EXAMPLES)
    assert sums.max() < -0.999 * 2**62
    assert sums.min() > -1.001 * 2**62
