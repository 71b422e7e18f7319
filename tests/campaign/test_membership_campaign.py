"""How well attackers find out who took part, at many ε; figures are printed."""

import pytest

from broker.aggregator.privacy.accountant import epsilon
from tests.support import membership as m

NOISES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@pytest.fixture(scope="module")
def fleet():
    fleet = m.Fleet(devices=32, each=2)
    yield fleet
    fleet.close()


def test_one_release_against_an_attacker_who_knows_all_others(fleet):
    print("\nnoise  ε at δ=1e-5  AUC    allowed   of 12,800 answers")
    for noise in NOISES:
        privacy = m.release("central" if noise else "none", noise)
        found, allowed = m.knowing_attack(fleet, privacy, trials=400), m.ceiling(noise)
        print(
            f"{noise:5g}  {epsilon(privacy, 1) or float('inf'):11.2f}  {found:.3f}  {allowed:.3f}"
        )
        assert found == pytest.approx(allowed, abs=0.02)


def test_ten_rounds_against_an_attacker_who_sees_the_last_model(fleet):
    print("\nnoise  ε at δ=1e-5  AUC of the loss  allowed   of 640 answers")
    found = []
    for noise in NOISES:
        privacy = m.release("central" if noise else "none", noise)
        found.append(m.loss_attack(fleet, privacy, rounds=10, runs=10))
        spent, allowed = epsilon(privacy, 10) or float("inf"), m.ceiling(noise, 10)
        print(f"{noise:5g}  {spent:11.2f}  {found[-1]:15.3f}  {allowed:.3f}")
        assert found[-1] <= allowed + 0.04
    assert found[0] > 0.65
    assert abs(found[-1] - 0.5) < 0.05
