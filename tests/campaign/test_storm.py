"""100,000 results through five kills of the broker and three of an agent; counts are printed."""

import time

import pytest

from tests.support.agents import Bench
from tests.support.storm import storm


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_storm(bench: Bench, seed: int) -> None:
    began = time.monotonic()
    outcome = storm(bench, results=100_000, broker_kills=5, agent_kills=3, seed=seed)
    print(f"\n{outcome.line(seed, time.monotonic() - began)}")
    assert outcome.lost_acknowledged == set()
    assert outcome.lost_stored == set()
    assert outcome.results >= 100_000
