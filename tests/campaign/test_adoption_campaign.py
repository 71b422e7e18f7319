"""Agents killed at random points of an installation, and longer storms; counts are printed."""

import time

import pytest

from broker.adapters.private_broker import RunningBroker
from tests.support.adoption import QUICK, killed_at_random, pipeline
from tests.support.adoption_world import storm
from tests.support.agents import Bench, Fleet

KILLS = 30
SEEDS = (1, 2, 3)
STORMS = 1_000


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_while_it_installs(mosquitto: RunningBroker, bench: Bench, seed: int) -> None:
    began = time.monotonic()
    config = bench.config({"digits": pipeline(bench)}, models=QUICK)
    with Fleet(mosquitto.address.port) as fleet:
        steps = killed_at_random(fleet, config, mosquitto.address.port, seed=seed, kills=KILLS)
    print(f"\nseed {seed}: {KILLS} kills in {time.monotonic() - began:.0f} s, in {steps}")


def test_storms() -> None:
    cuts = sum(storm(seed, 60) for seed in range(100, 100 + STORMS))
    print(f"\n{STORMS} storms, {cuts} cuts of the power")
    assert cuts > STORMS
