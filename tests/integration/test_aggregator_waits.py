"""A job whose first parameters are no use waits, and says why."""

import json
from dataclasses import replace

import numpy as np

import selvedge
from broker.contract.blobs import blob_chunks, blob_ref
from broker.contract.federated.channels import JobSpecChannel
from broker.contract.messages import encode
from broker.contract.topics import Topics
from tests.support.aggregation import P, job
from tests.support.aggregator_rig import Process
from tests.support.brokers import TestClient, eventually

TOPICS = Topics()


def test_parameters_that_are_not_finite(mosquitto, tmp_path, capsys):
    data = np.full(P, np.nan, "<f4").tobytes()
    spec = job()
    spec = replace(spec, model=replace(spec.model, initial=blob_ref(data)))
    process = Process(mosquitto.url, tmp_path / "state")

    def told() -> dict:
        selvedge.main(["fl", "status", "digits", "--broker", mosquitto.url, "--json"])
        return json.loads(capsys.readouterr().out)["jobs"].get("digits", {})

    try:
        process.wait_until_up()
        with TestClient("operator").connect(mosquitto.address.port) as client:
            for place, chunk in blob_chunks(blob_ref(data), data):
                client.publish(TOPICS.topic(place), chunk, retain=True)
            client.publish(TOPICS.topic(JobSpecChannel("digits")), encode(spec), retain=True)
        assert eventually(lambda: "not finite" in (told().get("reason") or ""), 10)
        assert told()["state"] == "waiting"
    finally:
        process.stop()
