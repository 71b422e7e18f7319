"""Mutated networks at length, trained under sanitizers."""

import json
import subprocess

import pytest

from engine.host.build import FUZZ_NETWORKS, build
from tests.support.networks import NETWORKS
from toolchain.training.encode import encode

COUNT = 200_000


@pytest.mark.parametrize("seed", range(2, 6))
def test_mutated_networks_are_refused_or_train_clean(seed, tmp_path):
    seeds = []
    for number, network in enumerate(NETWORKS.values()):
        seeds.append(tmp_path / str(number))
        seeds[-1].write_bytes(encode(network)[0])
    command = [build(FUZZ_NETWORKS), str(seed), str(COUNT), *seeds]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-4000:]
    *answers, trained = json.loads(told.stdout)
    print(f"\nseed {seed}: {COUNT:,} networks, {sum(answers[1:]):,} refused, {trained:,} trained")
    assert sum(answers) == COUNT
