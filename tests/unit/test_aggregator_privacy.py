"""Noise has the distribution that it claims; ε is what the accountant says when asked directly."""

import dp_accounting
import numpy as np
import pytest
from dp_accounting import rdp
from scipy import stats

from broker.aggregator.privacy.accountant import epsilon, would_exceed
from broker.contract.federated.job import MAX_DEVIATION, PrivacySpec
from broker.contract.federated.noise import gaussian

KEY = bytes(range(32))


def test_the_strongest_noise_that_a_job_may_have_is_still_gaussian():
    noise = gaussian(KEY, "sum", 50_000, MAX_DEVIATION)
    assert stats.kstest(noise * 2.0**-32 / MAX_DEVIATION, "norm").pvalue > 1e-3
    assert 9 * MAX_DEVIATION * 2**32 < 2**62, "and leaves room for the sum"


def test_noise_is_gaussian_and_its_own_for_each_key_and_purpose():
    deviation, count = 0.37, 200_001
    noise = gaussian(KEY, "sum", count, deviation) * 2.0**-32 / deviation
    assert stats.kstest(noise, "norm").pvalue > 1e-3
    assert abs(noise.std() - 1) < 0.01
    halves = noise[:100_000], noise[100_000:200_000]
    assert abs(np.corrcoef(*halves)[0, 1]) < 0.015
    again = gaussian(KEY, "sum", count, deviation)
    assert (again == gaussian(KEY, "sum", count, deviation)).all()
    for other in (
        gaussian(KEY, "sun", 1000, deviation),
        gaussian(KEY[::-1], "sum", 1000, deviation),
    ):
        assert abs(np.corrcoef(again[:1000], other)[0, 1]) < 0.15


@pytest.mark.parametrize("noise", [0.6, 1.1, 4.0])
@pytest.mark.parametrize("rounds", [1, 10, 300])
def test_epsilon_is_that_of_the_accountant(noise, rounds):
    def directly(multiplier: float) -> float:
        accountant = rdp.RdpAccountant()
        for _ in range(rounds):
            accountant.compose(dp_accounting.GaussianDpEvent(multiplier))
        return accountant.get_epsilon(1e-6)

    central = PrivacySpec("central", 1.0, noise, 1e-6)
    local = PrivacySpec("local", 1.0, noise, 1e-6)
    assert epsilon(central, rounds) == pytest.approx(directly(noise), rel=1e-9)
    assert epsilon(local, rounds) == pytest.approx(directly(noise / 2), rel=1e-9)
    assert epsilon(central, 0) == 0
    assert epsilon(PrivacySpec(), rounds) is None


def test_the_budget_is_never_passed():
    spec = PrivacySpec("central", 1.0, 1.1, 1e-5, max_epsilon=10.0)
    allowed = next(rounds for rounds in range(100) if would_exceed(spec, rounds))
    assert epsilon(spec, allowed) <= 10 < epsilon(spec, allowed + 1)
    assert would_exceed(PrivacySpec("central", 1.0, 1.1), 1000) is None
    assert "budget is 10" in would_exceed(spec, allowed)
