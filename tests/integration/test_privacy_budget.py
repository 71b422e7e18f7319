"""What `selvedge fl status` says that a job has spent is what dp-accounting says of its rounds."""

import json
import random
from dataclasses import replace

import dp_accounting
import pytest
from dp_accounting import rdp

import selvedge
from broker.adapters import private_broker
from broker.contract.bundle.manifest import read_manifest
from broker.contract.federated.job import PrivacySpec
from tests.support.aggregation import job
from tests.support.aggregator_rig import Fleet, Process, run_job, shipping_job
from tests.support.brokers import eventually

NOISE, DELTA, BUDGET, AFFORDABLE = 2.0, 1e-6, 5.0, 3


def directly(rounds: int, noise: float = NOISE) -> float:
    accountant = rdp.RdpAccountant()
    for _ in range(rounds):
        accountant.compose(dp_accounting.GaussianDpEvent(noise))
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


def test_what_is_shipped_says_what_it_cost(tmp_path):
    rounds, noise = 2, 0.5
    privacy = PrivacySpec("central", 1.0, noise, DELTA)
    spec = replace(shipping_job(rounds), privacy=privacy)
    with private_broker.start(engine="mosquitto") as running:
        fleet = run_job(running.url, running.address.port, tmp_path / "state", spec, 0, 1, ())
    outcome = fleet.outcome
    assert outcome.shipped, outcome.reason
    assert outcome.epsilon == pytest.approx(directly(rounds, noise), rel=1e-9)
    assert outcome.delta == DELTA
    told = read_manifest(fleet.blobs[outcome.manifest.sha256]).privacy
    assert (told.epsilon, told.delta) == (outcome.epsilon, DELTA)
    assert "multiplier 0.5 of clip norm 1, the aggregator adds to the sum" in told.mechanism
