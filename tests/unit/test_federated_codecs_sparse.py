"""Codecs that send less than every parameter: what they promise about error and expectation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.linalg import hadamard

from broker.contract.federated.codecs.bits import update_seed
from broker.contract.federated.codecs.choose import codec_of, keeps_residual
from broker.contract.federated.codecs.codec import MAX_VALUE
from broker.contract.federated.codecs.feedback import decode_vector, encode_with_feedback
from broker.contract.federated.codecs.hadamard import transform, transform_signs
from broker.contract.federated.codecs.positions import pack_positions, unpack_positions
from broker.contract.federated.codecs.random_k import chosen
from broker.contract.federated.codecs.spec import (
    CODEC_IDS,
    CodecOptions,
    CodecSpec,
    kept,
    most_bytes,
    position_bytes,
)
from broker.contract.federated.codecs.top_k import largest
from broker.contract.federated.errors import CodecError
from broker.contract.federated.slices import Cut
from broker.contract.federated.update import UpdateSlice, encode_slice

ONE_BIT = CodecSpec("one_bit")
SMALL = st.floats(-1, 1, width=32)


def through(spec: CodecSpec, vector: np.ndarray, cut: Cut, seed: int = 1) -> np.ndarray:
    codec = codec_of(spec, cut.parameters)
    encoded = codec.encode(vector, cut, seed)
    for at, data in enumerate(encoded):
        assert len(data) <= most_bytes(spec, cut.length(at), cut.parameters)
    return decode_vector(codec, encoded, cut, seed)


@pytest.mark.parametrize("power", range(12))
def test_the_transform_is_sylvesters(power):
    size = 2**power
    values = np.random.default_rng(power).integers(-1, 2, size).astype(np.float32)
    kept = values.copy()
    assert transform(values).tolist() == (hadamard(size) @ values).tolist()
    assert values.tolist() == kept.tolist()
    signs = np.where(values > 0, 1, -1).astype(np.float32)
    assert transform_signs(signs).tolist() == (hadamard(size) @ signs).tolist()


@pytest.mark.parametrize("power", [13, 16])
def test_large_transforms_are_their_own_inverse_exactly(power):
    signs = np.random.default_rng(power).choice([-1, 1], 2**power).astype(np.float32)
    there = transform_signs(signs)
    assert np.array_equal(there, transform(signs))
    assert np.array_equal(transform(there), signs * 2**power)


@pytest.mark.parametrize("size", [2**14, 2**15, 2**16])
def test_the_largest_slices_come_back(size):
    vector = np.zeros(size, np.float32)
    vector[0] = 100.0
    back = through(ONE_BIT, vector, Cut(size, size))
    assert abs(back[0] - 100) < 1e-2
    assert np.abs(back[1:]).max() < 1e-2


def shapes(kind: str, size: int) -> np.ndarray:
    chance = np.random.default_rng(7)
    if kind == "gaussian":
        return chance.standard_normal(size).astype(np.float32) * 0.01
    if kind == "log-normal":
        return (np.exp(chance.standard_normal(size)) * chance.choice([-1, 1], size)).astype(
            np.float32
        ) * 0.01
    if kind == "even":  # no value so small that it is never sent in a thousand rounds
        return (chance.uniform(0.005, 0.01, size) * chance.choice([-1, 1], size)).astype(np.float32)
    return np.full(size, 0.01, np.float32)


@pytest.mark.parametrize("kind", ["gaussian", "log-normal", "constant"])
def test_the_error_of_one_bit_is_the_papers(kind):
    """DRIVE, theorem 3: the expected squared error tends to (π/2 − 1) times the squared norm."""
    vector = shapes(kind, 4096)
    energy = np.square(vector, dtype=np.float64).sum()
    cut = Cut(4096, 4096)
    errors = [
        np.square(through(ONE_BIT, vector, cut, seed) - vector, dtype=np.float64).sum() / energy
        for seed in range(40)
    ]
    assert np.mean(errors) == pytest.approx(np.pi / 2 - 1, abs=0.02)


def unbiased(spec: CodecSpec, vector: np.ndarray, cut: Cut, seeds: int) -> None:
    """The mean over seeds is nearer to the truth than 5 of its own standard deviations."""
    runs = np.array([through(spec, vector, cut, seed) for seed in range(seeds)], np.float64)
    error = runs.mean(axis=0) - vector
    deviation = runs.std(axis=0) / seeds**0.5
    assert np.abs(error / np.maximum(deviation, 1e-9)).max() < 5
    expected_square = np.square(deviation).sum()
    assert np.square(error).sum() == pytest.approx(expected_square, rel=0.25)


def test_one_bit_is_unbiased():
    unbiased(ONE_BIT, shapes("log-normal", 1500), Cut(1500, 1024), 500)


@pytest.mark.parametrize("bits", [4, 8, 32])
def test_random_k_is_unbiased(bits):
    spec = CodecSpec("random_k", CodecOptions(0.2, bits, "stochastic"))
    unbiased(spec, shapes("even", 700), Cut(700, 300), 1000)


def test_random_k_sends_the_same_places_from_every_device():
    spec, cut = CodecSpec("random_k", CodecOptions(0.1, 32)), Cut(1000, 512)
    seeds = {update_seed("random_k", "00ff00ff00ff00ff", 0, device) for device in ("a", "b")}
    assert len(seeds) == 1
    seed = seeds.pop()
    one, other = (through(spec, shapes(kind, 1000), cut, seed) for kind in ("gaussian", "constant"))
    assert (np.flatnonzero(one) == np.flatnonzero(other)).all()
    assert np.count_nonzero(one) == kept(512, 0.1) + kept(488, 0.1)


def test_other_codecs_have_a_seed_for_each_device_round_and_vector():
    told = {
        update_seed(codec, seed, vector, device)
        for codec in ("one_bit", "int8")
        for seed in ("00ff00ff00ff00ff", "00ff00ff00ff00fe")
        for vector in (0, 1)
        for device in ("a", "b")
    }
    assert len(told) == 8
    assert all(0 <= seed < 2**64 for seed in told)


@given(st.integers(1, 3000), st.data())
def test_one_place_is_chosen_of_each_stretch_and_stretches_cover_the_slice(length, data):
    count = data.draw(st.integers(1, length))
    places, lengths = chosen(data.draw(st.integers(0, 2**64 - 1)), 0, length, count)
    ends = np.cumsum(lengths)
    assert (places.size, ends[-1]) == (count, length)
    assert lengths.max() - lengths.min() <= 1
    assert ((ends - lengths <= places) & (places < ends)).all()


def test_every_place_is_chosen_equally_often():
    times = np.zeros(70)
    for seed in range(4000):
        times[chosen(seed, 0, 70, 20)[0]] += 1
    lengths = np.repeat(chosen(0, 0, 70, 20)[1], chosen(0, 0, 70, 20)[1])
    expected, variance = 4000 / lengths, 4000 / lengths * (1 - 1 / lengths)
    assert np.abs((times - expected) / variance**0.5).max() < 4.5


@given(hnp.arrays(np.float32, st.integers(1, 400), elements=SMALL | st.sampled_from([0.0, 0.5])))
def test_the_largest_are_those_of_a_stable_sort(vector):
    for most in {1, vector.size // 2 or 1, vector.size}:
        order = sorted(range(vector.size), key=lambda at: (-abs(vector[at]), at))[:most]
        expected = {at for at in order if vector[at]}
        assert set(np.flatnonzero(largest(vector, most))) == expected


@given(hnp.arrays(np.float32, st.integers(1, 900), elements=SMALL), st.integers(1, 300))
def test_top_k_sends_the_largest_exactly_with_32_bits(vector, length):
    spec = CodecSpec("top_k", CodecOptions(0.1, 32))
    back = through(spec, vector, Cut(vector.size, length))
    sent = largest(vector, kept(vector.size, 0.1))
    assert np.abs(back[sent] - vector[sent]).max(initial=0) <= 2.0**-32
    assert not back[~sent].any()


@pytest.mark.parametrize("bits", [4, 8, 32])
def test_with_feedback_all_that_was_sent_and_what_is_left_sum_to_the_truth(bits):
    spec, cut = CodecSpec("top_k", CodecOptions(0.02, bits)), Cut(2000, 512)
    assert keeps_residual(spec)
    codec = codec_of(spec, 2000)
    chance = np.random.default_rng(3)
    truth = np.zeros(2000)
    sent = np.zeros(2000)
    residual = np.zeros(2000, np.float32)
    drift = chance.standard_normal(2000) * 0.01
    for seed in range(300):
        vector = (drift + chance.standard_normal(2000) * 0.02).astype(np.float32)
        truth += vector
        encoded, residual = encode_with_feedback(codec, vector, residual, cut, seed)
        sent += decode_vector(codec, encoded, cut, seed)
        assert np.abs(sent + residual - truth).max() < 1e-4
    assert np.linalg.norm(sent - truth) < 0.25 * np.linalg.norm(truth)


def test_without_acknowledgement_the_old_residual_still_holds():
    spec, cut = CodecSpec("top_k", CodecOptions(0.1, 4)), Cut(100, 100)
    codec = codec_of(spec, 100)
    vector, residual = shapes("gaussian", 100), shapes("constant", 100)
    before = residual.copy()
    first = encode_with_feedback(codec, vector, residual, cut, 5)
    again = encode_with_feedback(codec, vector, residual, cut, 5)
    assert first[0] == again[0]
    assert (residual == before).all()


@given(st.integers(1, 2000), st.data())
def test_positions_survive_and_nothing_shorter_or_longer_does(length, data):
    count = data.draw(st.integers(0, length))
    order = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(length)
    positions = np.sort(order[:count])
    packed = pack_positions(positions, length)
    assert len(packed) == position_bytes(length, count)
    assert unpack_positions(packed, length, count, "x").tolist() == positions.tolist()
    with pytest.raises(CodecError):
        unpack_positions(packed + b"\0", length, count, "x")
    if packed:
        with pytest.raises(CodecError):
            unpack_positions(packed[:-1], length, count, "x")


def as_bytes(lows: list[int], highs: list[int]) -> bytes:
    parts = (np.packbits(np.array(bits, np.uint8), bitorder="little") for bits in (lows, highs))
    return b"".join(part.tobytes() for part in parts)


def test_positions_that_repeat_or_leave_a_trace_behind_them_are_refused():
    """Two of a hundred: five low bits each, then five bits of unary."""
    three, four = [1, 1, 0, 0, 0], [0, 0, 1, 0, 0]
    assert unpack_positions(as_bytes(three + four, [1, 1]), 100, 2, "x").tolist() == [3, 4]
    assert unpack_positions(as_bytes(four + three, [1, 0, 1]), 100, 2, "x").tolist() == [4, 35]
    for lows, highs in (
        (three + three, [1, 1]),
        (four + three, [1, 1]),
        ([*three, *four, 0, 0, 0, 0, 0, 1], [1, 1]),
        (three + four, [1, 1, 1]),
        (three + four, [1, 0]),
        ([*three, 0, 0, 1, 0, 0], [1, 0, 0, 0, 1]),
    ):
        with pytest.raises(CodecError):
            unpack_positions(as_bytes(lows, highs), 100, 2, "x")


@given(st.integers(1, 300), st.data())
@settings(max_examples=300)
def test_any_bytes_are_ascending_positions_or_refused(length, data):
    count = data.draw(st.integers(0, length))
    size = position_bytes(length, count)
    octets = data.draw(st.binary(min_size=size, max_size=size))
    try:
        positions = unpack_positions(octets, length, count, "x")
    except CodecError:
        return
    assert positions.size == count
    assert (np.diff(positions) > 0).all()
    assert positions.max(initial=0) < length
    assert pack_positions(positions, length) == octets  # one set of positions, one form


@pytest.mark.parametrize("length", [1, 2, 3, 7, 64, 100, 1000])
@pytest.mark.parametrize("bits", [4, 8, 32])
def test_no_slice_of_top_k_exceeds_the_most_bytes(length, bits):
    for most in range(1, length + 1):
        spec = CodecSpec("top_k", CodecOptions(most / length, bits))
        codec = codec_of(spec, length)
        vector = np.arange(1, length + 1, dtype=np.float32) / length
        actual = max(
            len(
                codec_of(CodecSpec("top_k", CodecOptions(n / length, bits)), length).encode(
                    vector, Cut(length, length), 0
                )[0]
            )
            for n in {1, most // 3 or 1, most // 2 or 1, most}
        )
        assert codec.most == most
        assert actual <= most_bytes(spec, length, length)


def test_a_top_k_that_claims_too_many_is_refused():
    generous = codec_of(CodecSpec("top_k", CodecOptions(0.5, 8)), 100)
    strict = codec_of(CodecSpec("top_k", CodecOptions(0.1, 8)), 100)
    vector, cut = shapes("gaussian", 100), Cut(100, 100)
    with pytest.raises(CodecError, match="50 values exceed 10"):
        strict.decode(generous.encode(vector, cut, 0)[0], 100, 0, 0)
    with pytest.raises(CodecError, match="4294967295 values exceed"):
        strict.decode(b"\xff\xff\xff\xff", 100, 0, 0)
    with pytest.raises(CodecError, match="at least 4 bytes"):
        strict.decode(b"\0\0\0", 100, 0, 0)


@pytest.mark.parametrize("step", [np.nan, np.inf, -1e-6, 1.1 * MAX_VALUE / 128])
def test_a_scale_of_one_bit_out_of_bounds_is_refused(step):
    with pytest.raises(CodecError, match="scale"):
        codec_of(ONE_BIT, 100).decode(np.float32(step).tobytes() + bytes(16), 100, 0, 0)
    with pytest.raises(CodecError, match="after the last sign"):
        codec_of(ONE_BIT, 3).decode(np.float32(0.1).tobytes() + b"\x10", 3, 0, 0)


def test_what_grows_beyond_the_bound_is_refused_by_its_encoder():
    vector = np.full(4096, 100, np.float32)
    with pytest.raises(CodecError, match="norm of 6400, clip it"):
        codec_of(ONE_BIT, 4096).encode(vector, Cut(4096, 4096), 0)
    spec = CodecSpec("random_k", CodecOptions(0.01, 8))
    with pytest.raises(CodecError, match="beyond"):
        codec_of(spec, 4096).encode(vector, Cut(4096, 4096), 0)


def test_bytes_of_an_update_meet_their_goals():
    """Against float32 without framing, on a model of a million parameters."""
    size = 2**20
    vector = shapes("gaussian", size)
    cut = Cut(size, 8192)
    goals = {
        ("f32", 8): 1.05,
        ("int8", 8): 0.27,
        ("int4", 8): 0.14,
        ("one_bit", 8): 1 / 28,
        ("top_k", 4): 1 / 100,
        ("random_k", 8): 1 / 200,
    }
    assert {name for name, _ in goals} == set(CODEC_IDS)
    for (name, bits), goal in goals.items():
        spec = CodecSpec(name, CodecOptions(0.01, bits))
        encoded = codec_of(spec, size).encode(vector, cut, 0)
        messages = [
            encode_slice(UpdateSlice(at, cut.count, 1000, CODEC_IDS[name], data))
            for at, data in enumerate(encoded)
        ]
        assert sum(map(len, messages)) <= goal * 4 * size, name
