"""Noise works: who took part in a job is found out the less, the smaller ε is.

An attack is also an audit of what ε claims: with half of the noise missing, or a clip norm that is
not kept, the attacker would do better than the mechanism allows.
"""

import pytest

from broker.aggregator.privacy.accountant import epsilon
from tests.support import membership as m


@pytest.fixture(scope="module")
def fleet():
    fleet = m.Fleet(devices=32, each=2)
    yield fleet
    fleet.close()


def test_without_noise_one_who_knows_all_others_finds_everybody(fleet):
    assert m.knowing_attack(fleet, m.release("none", 0), trials=3) == 1


def test_an_attacker_who_knows_all_others_gets_what_epsilon_allows_and_no_more(fleet):
    """800 answers: the standard error is 0.02 where the curve is steep."""
    found, spent = [], []
    for noise in (0.5, 1.0, 2.0, 8.0):
        privacy = m.release("central", noise)
        found.append(m.knowing_attack(fleet, privacy, trials=25))
        spent.append(epsilon(privacy, 1))
        assert found[-1] == pytest.approx(m.ceiling(noise), abs=0.06)
    assert sorted(spent, reverse=True) == spent
    assert sorted(found, reverse=True) == found
    assert abs(found[-1] - 0.5) < 0.08


def test_an_attacker_who_has_only_the_model_knows_nothing_in_the_end(fleet):
    found = [
        m.loss_attack(fleet, m.release(mode, noise), rounds=5, runs=2)
        for mode, noise in (("none", 0.0), ("central", 2.0), ("central", 16.0))
    ]
    assert found[0] > 0.65 > found[1] > found[2]
    assert abs(found[2] - 0.5) < 0.07


@pytest.mark.parametrize("noise", [0.5, 4.0])
def test_one_who_reads_an_update_under_local_privacy_cannot_tell_whose_data_it_is(fleet, noise):
    found, distance_allows = m.local_attack(fleet, noise, trials=100)
    assert found == pytest.approx(distance_allows, abs=0.1)
    assert distance_allows <= m.ceiling(noise / 2), "what the accountant counts with"
