"""`selvedge aggregator` under SIGKILL, before a real mosquitto: the same model, byte for byte."""

import numpy as np
import pytest

from broker.adapters import private_broker
from tests.support.aggregation import P
from tests.support.aggregator_rig import DEVICES, nearest_job, run_job

ROUNDS = 3


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> bytes:
    with private_broker.start(engine="mosquitto") as running:
        fleet = run_job(
            running.url, running.address.port, tmp_path_factory.mktemp("calm"), ROUNDS, 0, 1
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
        fleet = run_job(running.url, running.address.port, tmp_path / "state", ROUNDS, 5, seed)
    assert fleet.final_model().tobytes() == undisturbed
    assert fleet.status.state == "done"
    assert [each.updates for each in fleet.status.history] == [len(DEVICES)] * ROUNDS
    assert nearest_job(ROUNDS).rounds == fleet.status.rounds
