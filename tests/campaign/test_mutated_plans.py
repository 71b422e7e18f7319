"""Mutated plans under ASan and UBSan, for each build of the engine; counts and seeds are printed.

`SELVEDGE_MUTATED_PLANS` says how many each build is given; a fourteenth of them are whole networks.
"""

import os

import pytest

from tests.support.engine import KERNELS
from tests.support.engine_compare import fuzz
from tests.support.engine_seeds import network_plans
from toolchain.plan.numbers import Status

COUNT = int(os.environ.get("SELVEDGE_MUTATED_PLANS", "70000"))
NETWORKS = COUNT // 14
PARTS = 5
SEED = 1_000


def tell(target, seed, answers):
    listed = {status.name: count for status, count in answers.items()}
    print(f"\n{target.name}, seed {seed}, {sum(answers.values())} plans: {listed}")


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("target", KERNELS, ids=KERNELS.values())
def test_operators(target, part, tmp_path):
    count = (COUNT - NETWORKS + PARTS - 1 - part) // PARTS
    answers = fuzz(tmp_path, SEED + part, count, target)
    tell(target, SEED + part, answers)
    assert answers[Status.OK] > count // 20


@pytest.mark.parametrize("target", KERNELS, ids=KERNELS.values())
def test_networks(target, tmp_path):
    answers = fuzz(tmp_path, SEED + PARTS, NETWORKS, target, network_plans)
    tell(target, SEED + PARTS, answers)
    assert answers[Status.OK] > NETWORKS // 20
