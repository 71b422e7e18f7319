"""Robust rules: plain references, and liars that they withstand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.aggregator.robust.rules import check_quorum, krum_chosen, robust_mean, trimmed_mean
from broker.contract.federated.errors import JobError
from broker.contract.federated.job import RobustSpec


def slices_of(updates, length=16):
    matrix = np.asarray(updates, np.float32)
    return lambda: (matrix[:, at : at + length] for at in range(0, matrix.shape[1], length))


def krum_by_the_paper(updates, liars):
    scores = []
    for i, one in enumerate(updates):
        others = sorted(np.sum((one - o) ** 2) for j, o in enumerate(updates) if j != i)
        scores.append(sum(others[: len(updates) - liars - 2]))
    return int(np.argmin(scores))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 2), st.integers(0, 3))
def test_krum_chooses_as_the_paper_does(seed, liars, more):
    count = 2 * liars + 3 + more
    updates = np.random.default_rng(seed).standard_normal((count, 50)).astype(np.float32)
    expected = krum_by_the_paper(updates.astype(np.float64), liars)
    assert krum_chosen(slices_of(updates)(), liars, 1) == [expected]
    spec = RobustSpec("krum", {"liars": liars})
    np.testing.assert_array_equal(robust_mean(spec, slices_of(updates)), updates[expected])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=3, max_size=15), st.floats(0, 0.49))
def test_trimmed_mean_drops_as_many_at_either_end(values, share):
    cut = int(share * len(values))
    kept = sorted(values)[cut : len(values) - cut]
    got = trimmed_mean(np.asarray(values, np.float32)[:, None], share)
    np.testing.assert_allclose(got, [sum(kept) / len(kept)], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "spec",
    [
        RobustSpec("median"),
        RobustSpec("trimmed_mean", {"share": 0.3}),
        RobustSpec("krum", {"liars": 3}),
        RobustSpec("krum", {"liars": 3, "keep": 4}),
    ],
)
@pytest.mark.parametrize("lie", [1e3, -1e3, 50.0])
def test_three_liars_of_ten_do_not_move_it_far(spec, lie):
    chance = np.random.default_rng(4)
    truth = chance.standard_normal(80)
    honest = [truth + 0.1 * chance.standard_normal(80) for _ in range(7)]
    liars = [truth + lie + chance.standard_normal(80) for _ in range(3)]
    got = robust_mean(spec, slices_of(honest + liars))
    assert np.abs(got - truth).max() < 0.5
    assert np.abs(np.mean(honest + liars, axis=0) - truth).max() > 10


def test_order_of_the_devices_is_all_that_ties_depend_on():
    same = np.ones((5, 4), np.float32)
    assert krum_chosen(slices_of(same)(), 1, 2) == [0, 1]
    for order in itertools.permutations(range(4)):
        rows = np.arange(4, dtype=np.float32)[list(order)][:, None]
        assert robust_mean(RobustSpec("median"), lambda rows=rows: [rows]).tolist() == [1.5]


@pytest.mark.parametrize(
    ("spec", "quorum"),
    [(RobustSpec("krum", {"liars": 2}), 6), (RobustSpec("median"), 2), (RobustSpec("krum"), 9)],
)
def test_a_quorum_that_a_rule_cannot_work_with_is_refused(spec, quorum):
    with pytest.raises(JobError):
        check_quorum(spec, quorum)
