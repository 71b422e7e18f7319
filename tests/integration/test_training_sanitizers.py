"""The training engine under AddressSanitizer and UndefinedBehaviorSanitizer."""

import json
import subprocess

import numpy as np
import pytest

from engine.host.build import FUZZ_NETWORKS, TRAIN, build
from tests.support.networks import NETWORKS
from tests.support.trainers import started
from toolchain.plan.numbers import Status
from toolchain.training.encode import encode
from toolchain.training.initial import initial_parameters

SEEN = {
    *(Status.OK, Status.NOT_A_PLAN, Status.TRUNCATED, Status.BAD_HEADER),
    *(Status.ARENA_TOO_SMALL, Status.UNKNOWN_OPERATOR, Status.BAD_SHAPE, Status.BAD_PARAMETER),
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_network_trains_clean_and_gives_the_bytes_of_the_module(network, tmp_path):
    trainer = started(network)
    rng = np.random.default_rng(8)
    count = 3 * trainer.capacity
    examples = rng.standard_normal((count, int(np.prod(network.input)))).astype(np.float32)
    labels = rng.integers(0, trainer.outputs, count).astype(np.int32)
    if network.loss == "squared_error":
        labels = rng.standard_normal((count, trainer.outputs)).astype(np.float32)
    hyper = np.array([0.05, 0.9, 0.001, 0.01, 2.0, 0, 0, 0], np.float32)
    files = {
        "network": encode(network)[0],
        "parameters": initial_parameters(network, 1).tobytes(),
        "hyper": hyper.tobytes(),
        "examples": examples.tobytes(),
        "labels": labels.tobytes(),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = [build(TRAIN), *(tmp_path / name for name in files)]
    told = subprocess.run(
        [*command, str(trainer.capacity), tmp_path / "result"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-4000:]
    trainer.hyper[:] = hyper
    batches = zip(np.split(examples, 3), np.split(labels, 3), strict=True)
    losses = [trainer.train(*batch) for batch in batches]
    assert [float(line) for line in told.stdout.split()] == pytest.approx(losses, rel=1e-8)
    assert (tmp_path / "result").read_bytes() == trainer.parameters.tobytes()


def test_mutated_networks_are_refused_or_train_clean(tmp_path):
    seeds = []
    for number, network in enumerate(NETWORKS.values()):
        seeds.append(tmp_path / str(number))
        seeds[-1].write_bytes(encode(network)[0])
    told = subprocess.run(
        [build(FUZZ_NETWORKS), "1", "6000", *seeds], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr[-4000:]
    *answers, trained = json.loads(told.stdout)
    assert {Status(number) for number, count in enumerate(answers) if count} == SEEN
    assert trained > 400
