"""Sums do not depend on order, never overflow, and clipping bounds what was decoded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.aggregator.sums import MAX_SUM, MOST_PER_WEIGHT, Total, clipped
from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.codec import MAX_VALUE
from broker.contract.federated.codecs.spec import CODEC_IDS, CodecSpec
from broker.contract.federated.errors import UpdateError
from broker.contract.federated.slices import Cut

CUT = Cut(parameters=700, slice_parameters=256, vectors=2)


def pieces(name, seed, spread=1e-2):
    chance = np.random.default_rng(seed)
    codec = codec_of(CodecSpec(name), CUT.parameters)
    decoded = []
    for vector in range(CUT.vectors):
        values = (chance.standard_normal(CUT.parameters) * spread).astype(np.float32)
        for at, data in enumerate(codec.encode(values, CUT, vector)):
            decoded.append(codec.decode(data, CUT.length(at), at, vector))
    return decoded


def joined(decoded, vector):
    part = decoded[vector * CUT.per_vector : (vector + 1) * CUT.per_vector]
    return np.concatenate([piece.values() for piece in part]).astype(np.float64)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(CODEC_IDS)),
    st.lists(st.integers(1, 2**20), min_size=2, max_size=6),
    st.randoms(use_true_random=False),
)
def test_any_order_gives_the_same_bytes(name, weights, chance):
    updates = [(pieces(name, seed), weight) for seed, weight in enumerate(weights)]
    totals = []
    for _ in range(2):
        total = Total(CUT)
        for decoded, weight in updates:
            total.add(decoded, weight)
        totals.append(total.fixed.tobytes())
        chance.shuffle(updates)
    assert totals[0] == totals[1]


@pytest.mark.parametrize("name", sorted(CODEC_IDS))
def test_the_mean_is_that_of_the_decoded_values(name):
    updates, weights = [pieces(name, seed) for seed in range(4)], [1, 20, 300, 4000]
    total = Total(CUT)
    for decoded, weight in zip(updates, weights, strict=True):
        total.add(decoded, weight)
    for vector in range(CUT.vectors):
        expected = np.average([joined(d, vector) for d in updates], axis=0, weights=weights)
        np.testing.assert_allclose(total.mean(vector, total.weight), expected, rtol=1e-7, atol=1e-8)


def test_what_might_overflow_is_refused_and_changes_nothing():
    codec = codec_of(CodecSpec("f32"), CUT.parameters)
    full = np.full(CUT.parameters, MAX_VALUE, np.float32)
    decoded = [
        codec.decode(d, CUT.length(n), n, 0) for n, d in enumerate(codec.encode(full, CUT, 0))
    ]
    total, added = Total(CUT), 0
    for _ in range(10):
        try:
            total.add(decoded * 2, 2**20)
        except UpdateError:
            continue
        added += 1
    assert total.fixed.min() == total.fixed.max() == added * 2**20 * MAX_VALUE * 2**32
    assert 1 <= added < 10
    assert MOST_PER_WEIGHT * 2**20 < MAX_SUM


def test_many_small_updates_of_great_weight_have_room():
    total = Total(CUT)
    decoded = pieces("int8", 1, spread=1e-3)
    for _ in range(500):
        total.add(decoded, 2**20)
    assert total.weight == 500 * 2**20


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(CODEC_IDS)), st.floats(1e-3, 10), st.floats(0.01, 3))
def test_clipping_bounds_the_norm_and_keeps_the_direction(name, bound, spread):
    decoded = pieces(name, 3, spread)
    kept = clipped(decoded, CUT, bound)
    for vector in range(CUT.vectors):
        before, after = joined(decoded, vector), joined(kept, vector)
        assert np.linalg.norm(after) <= bound
        if np.linalg.norm(before) < bound * 0.999:
            assert (before == after).all()
        else:
            scaled = before * (bound / np.linalg.norm(before))
            np.testing.assert_allclose(after, scaled, rtol=0, atol=bound * 2e-6)
