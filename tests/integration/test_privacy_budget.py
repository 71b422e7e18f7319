"""What `selvedge fl status` says that a job has spent is what dp-accounting says of its rounds."""

import json
import random

import dp_accounting
import pytest
from dp_accounting import rdp

import selvedge
from broker.contract.federated.job import PrivacySpec
from tests.support.aggregation import job
from tests.support.aggregator_rig import Fleet, Process
from tests.support.brokers import eventually

pytest_plugins = ["tests.support.brokers"]
NOISE, DELTA, BUDGET, AFFORDABLE = 2.0, 1e-6, 5.0, 3


def directly(rounds: int) -> float:
    accountant = rdp.RdpAccountant()
    for _ in range(rounds):
        accountant.compose(dp_accounting.GaussianDpEvent(NOISE))
    return accountant.get_epsilon(DELTA)


def test_a_job_stops_before_its_budget_is_passed_and_says_what_it_spent(
    mosquitto, tmp_path, capsys
):
    assert directly(AFFORDABLE) <= BUDGET < directly(AFFORDABLE + 1)
    privacy = PrivacySpec("central", 1.0, NOISE, DELTA, BUDGET)
    spec = job(rounds=50, deadline_s=600.0, privacy=privacy)
    process = Process(mosquitto.url, tmp_path / "state")
    fleet = Fleet(mosquitto.address.port, spec, random.Random(1))
    try:
        process.wait_until_up()
        fleet.publish_job()
        assert eventually(
            lambda: fleet.step() or (fleet.round is not None and fleet.round.state == "stopped"), 60
        )
        process.kill()
        process.wait_until_up()
        assert selvedge.main(["fl", "status", "digits", "--broker", mosquitto.url, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)["jobs"]["digits"]
        assert told["state"] == "stopped"
        assert "the budget is 5" in told["reason"]
        assert len(told["history"]) == AFFORDABLE
        assert told["epsilon"] == pytest.approx(directly(AFFORDABLE), rel=1e-9)
    finally:
        process.stop()
        fleet.close()
