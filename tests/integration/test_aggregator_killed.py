"""`selvedge aggregator` under SIGKILL, before a real mosquitto: the same model, byte for byte."""

import random

import numpy as np
import pytest

from broker.adapters import private_broker
from tests.support.aggregation import P
from tests.support.aggregator_rig import DEVICES, Fleet, Process, nearest_job, run_job
from tests.support.brokers import eventually

ROUNDS = 3


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> bytes:
    with private_broker.start(engine="mosquitto") as running:
        fleet = run_job(
            running.url,
            running.address.port,
            tmp_path_factory.mktemp("calm"),
            nearest_job(ROUNDS),
            0,
            1,
        )
    assert fleet.refused == {}
    assert [each.updates for each in fleet.status.history] == [len(DEVICES)] * ROUNDS
    assert [each.accuracy for each in fleet.status.history] == [0.5] * ROUNDS
    model = fleet.final_model()
    assert model.shape == (P,)
    assert np.isfinite(model).all()
    return model.tobytes()


@pytest.mark.parametrize("seed", [2])
def test_the_model_is_the_same_after_kills(undisturbed, seed, tmp_path):
    with private_broker.start(engine="mosquitto") as running:
        fleet = run_job(
            running.url, running.address.port, tmp_path / "state", nearest_job(ROUNDS), 5, seed
        )
    assert fleet.final_model().tobytes() == undisturbed
    assert fleet.status.state == "done"
    assert [each.updates for each in fleet.status.history] == [len(DEVICES)] * ROUNDS
    assert nearest_job(ROUNDS).rounds == fleet.status.rounds


def test_a_broker_that_forgets_everything_is_told_again(undisturbed, tmp_path):
    broker = private_broker.start(engine="mosquitto")
    spec, state = nearest_job(ROUNDS), tmp_path / "state"
    process = Process(broker.url, state)
    fleet = Fleet(broker.address.port, spec, random.Random(1))
    try:
        process.wait_until_up()
        fleet.publish_job()
        assert eventually(lambda: fleet.step() or len(fleet.acked) > 5, 20)
        fleet.close()
        broker.kill()
        broker = private_broker.start(broker.address, broker.engine)
        fleet = Fleet(broker.address.port, spec, random.Random(2))
        assert eventually(lambda: fleet.step() or fleet.round is not None, 20)
        assert eventually(lambda: fleet.step() or fleet.round.state == "done", 30)
        fleet.step(0.3)
        assert fleet.final_model().tobytes() == undisturbed
    finally:
        process.stop()
        fleet.close()
        broker.kill()
