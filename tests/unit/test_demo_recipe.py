"""What the demo deals out: few classes to each device, every digit to one, and a job that holds."""

import json
import tomllib

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from broker.contract.federated.job import read_job
from broker.demo import recipe
from broker.learning.job_file import resolve
from toolchain.digits import NETWORK, Digits
from toolchain.training.encode import encode
from toolchain.training.network import read_network
from toolchain.training.steps import steps_of


@pytest.fixture
def digits() -> Digits:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (600, 8, 8, 1)).astype(np.uint8)
    return Digits(images, rng.integers(0, 10, 600).astype(np.int64))


@pytest.mark.parametrize("devices", [1, 2, 4, 16])
def test_every_digit_is_dealt_once_and_classes_unevenly(digits, devices):
    names = [f"d{n}" for n in range(devices)]
    shares = recipe.dealt(digits, names, np.random.default_rng(3))
    assert list(shares) == names
    assert all(len(share) for share in shares.values())
    spare = sum(len(share) == 1 for share in shares.values())
    assert len(digits) <= sum(map(len, shares.values())) <= len(digits) + spare
    if devices == 4:
        counts = [np.bincount(share.labels, minlength=10) for share in shares.values()]
        largest = np.max(counts, axis=0) / np.sum(counts, axis=0)
        assert largest.mean() > 0.6, "most of a class lies with one device"


def test_the_job_is_one_and_its_parameters_are_those_of_the_first_model(digits):
    with threadpool_limits(1):
        made = recipe.prepare(digits, ["a", "b"])
    network = read_network(NETWORK)
    _, counts = encode(network)
    assert len(made.parameters) == 4 * counts.parameters
    assert len(steps_of(network)) == 5
    files = {
        "start.f32": made.parameters,
        "simd.wasm": b"\0asm1",
        "scalar.wasm": b"\0asm2",
        "network.json": json.dumps(NETWORK).encode(),
    }
    job = resolve(recipe.job(2, 3), files.__getitem__)
    assert read_job(job.payload) == job.spec
    assert (job.spec.rounds, job.spec.participation.goal) == (3, 2)


def test_the_configuration_names_the_job_where_it_learns_and_nowhere_else():
    models = {"tflite": "m.tflite", "wasmtime": "m.wasm", recipe.MCU: "m.tflite"}
    board = recipe.Board("/dev/ttyX", "m.plan")
    tree = tomllib.loads(recipe.config_toml("tflite", models, "x.npy", board))
    pipelines = tree["pipelines"]
    assert set(pipelines) == {"digits", "digits-wasmtime", "digits-mcu"}
    assert pipelines["digits"]["learning"] == {"jobs": ["digits"]}
    assert pipelines["digits"]["source"]["loop"] is True
    assert pipelines["digits-mcu"]["mcu"] == {"plan": "m.plan"}
    assert "learning" not in pipelines["digits-wasmtime"]
    assert pipelines["digits-wasmtime"]["source"]["loop"] is False
