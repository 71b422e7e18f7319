"""Twenty cuts of power on an emulated Pi, at random moments; counts are printed."""

import os
from pathlib import Path

import pytest

from deploy.emulator.image import Base
from tests.support.pi_power import cut_again_and_again

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are made by root")


@pytest.mark.parametrize("seed", [1, 2])
def test_cuts_of_power_lose_nothing_that_was_kept(
    base: Base, disk: Path, models: dict[str, Path], tmp_path: Path, seed: int
) -> None:
    outcome = cut_again_and_again(base, disk, models, tmp_path, cuts=10, seed=seed)
    print(f"\n{outcome.line(seed)}")
    assert outcome.acknowledged > 0
    assert outcome.lost_acknowledged == set()
    assert outcome.lost_stored == set()
    assert outcome.two_under_one_number == set()
    assert outcome.damage == []
