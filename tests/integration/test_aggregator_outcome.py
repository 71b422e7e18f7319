"""What `selvedge aggregator` ships after the last round, before a real mosquitto."""

import random
from dataclasses import replace

import numpy as np
import pytest

from broker.adapters import private_broker
from broker.contract.bundle.manifest import read_manifest
from broker.contract.federated.outcome import JobOutcome
from broker.contract.messages import encode
from tests.support.aggregation import job
from tests.support.aggregator_rig import DEVICES, Fleet, Process, run_job, shipping_job
from tests.support.brokers import TestClient, eventually
from tests.support.wasm_modules import Wasmtime

ROUNDS = 2
WEIGHTS = np.arange(10, 10 + len(DEVICES))


def played(tmp_path, spec, kills=0, seed=1, aims=()) -> tuple[Fleet, list[tuple[str, bytes]]]:
    """A whole job, and what is left on its broker."""
    with private_broker.start(engine="mosquitto") as running:
        port = running.address.port
        fleet = run_job(running.url, port, tmp_path / "state", spec, kills, seed, aims)
        with TestClient("late").connect(port) as late:
            late.subscribe("selvedge/v1/#")
            left = [(m.topic, bytes(m.payload)) for m in late.drain(0.5)]
    return fleet, left


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    return played(tmp_path_factory.mktemp("calm"), shipping_job(ROUNDS))


def test_the_model_is_judged_by_weight_and_shipped_with_all_its_files(calm):
    fleet, left = calm
    outcome = fleet.outcome
    assert (outcome.shipped, outcome.release, outcome.reason) == (True, 1, None)
    judged = outcome.judged
    assert (judged.devices, judged.examples) == (4, WEIGHTS.sum())
    losses = np.average([0.5, 0.6, 0.7, 0.8], weights=WEIGHTS)
    assert judged.loss == pytest.approx(losses)
    assert judged.baseline_loss == pytest.approx(2.5)
    assert judged.accuracy == pytest.approx(np.sum([5, 6, 7, 8]) / WEIGHTS.sum())
    assert judged.baseline_accuracy == pytest.approx(4 / WEIGHTS.sum())
    status = fleet.status
    assert (status.state, status.release, status.shipped) == ("done", 1, True)
    assert status.judged == judged
    data = fleet.blobs[outcome.manifest.sha256]
    manifest = read_manifest(data)
    assert (manifest.name, manifest.release, manifest.training.judged) == ("head", 1, judged)
    assert manifest.training.model == fleet.round.model
    assert manifest.training.updates == ROUNDS * len(DEVICES)
    assert manifest.training.agreement > 0.9
    assert manifest.privacy is None
    names = [one.runtime for one in manifest.artifacts]
    assert names == ["tflite", "wasm-simd", "wasm-scalar", "plan"]
    refs = [one.blob for one in manifest.artifacts]
    refs += [manifest.golden.inputs, manifest.golden.outputs]
    topics = {topic for topic, _ in left}
    for ref in refs:
        assert len(fleet.blobs[ref.sha256]) == ref.bytes
        # Whoever hears of an outcome finds its files.
        assert fleet.seen.index(ref.sha256) < fleet.seen.index("outcome")
        assert f"selvedge/v1/blobs/{ref.sha256}/0/0" in topics
    assert not [topic for topic in topics if "/files/" in topic]


def test_the_modules_give_the_golden_outputs(calm):
    fleet, _ = calm
    manifest = read_manifest(fleet.blobs[fleet.outcome.manifest.sha256])
    golden = manifest.golden
    inputs, outputs = fleet.blobs[golden.inputs.sha256], fleet.blobs[golden.outputs.sha256]
    for runtime in ("wasm-simd", "wasm-scalar"):
        module = Wasmtime(fleet.blobs[manifest.artifact(runtime).blob.sha256])
        for n in range(golden.count):
            module.write(module.call("sv_input", 0), inputs[59 * n : 59 * (n + 1)])
            assert module.call("sv_invoke") == 0
            assert module.read(module.call("sv_output", 0), 10) == outputs[10 * n : 10 * (n + 1)]


@pytest.mark.parametrize("seed", [3])
def test_the_outcome_is_the_same_after_kills(calm, seed, tmp_path):
    fleet, _ = played(
        tmp_path, shipping_job(ROUNDS), kills=4, seed=seed, aims=("evaluating", "publishing")
    )
    assert encode(fleet.outcome) == encode(calm[0].outcome)
    assert not list((tmp_path / "state").glob("export-*")), "nothing is left behind"
    manifest = fleet.outcome.manifest.sha256
    assert fleet.blobs[manifest] == calm[0].blobs[manifest]


@pytest.mark.parametrize(("kills", "shipped"), [(2, True), (3, False)])
def test_a_making_that_is_killed_is_begun_anew_but_not_for_ever(
    mosquitto, kills, shipped, tmp_path
):
    process = Process(mosquitto.url, tmp_path / "state")
    fleet = Fleet(mosquitto.address.port, shipping_job(1), random.Random(5))
    killed: set[int] = set()

    def kill() -> bool:
        fleet.step()
        for child in process.children():
            if len(killed) < kills and child.pid not in killed:
                killed.add(child.pid)
                child.kill()
        return fleet.outcome is not None

    try:
        process.wait_until_up()
        fleet.publish_job()
        assert eventually(kill, 60)
        assert len(killed) == kills
        assert fleet.outcome.shipped == shipped
        assert shipped or fleet.outcome.reason == "its making was ended by SIGKILL"
    finally:
        fleet.close()
        assert process.stop() == 0


def test_a_gate_keeps_a_model_back_and_its_deadline_is_kept(tmp_path):
    spec = shipping_job(1, gate_loss=0.6, deadline_s=1.0, goal=99)
    fleet, _ = played(tmp_path, spec)
    outcome = fleet.outcome
    assert (outcome.shipped, outcome.manifest) == (False, None)
    assert outcome.reason.startswith("held-out loss 0.6")
    assert outcome.judged.devices == len(DEVICES)
    assert fleet.status.shipped is False
    assert fleet.status.state == "done"
    assert "exceeds the gate" in fleet.status.reason


def test_a_network_that_does_not_fit_is_told_and_the_job_ends(tmp_path):
    spec = shipping_job(1)
    network = {"input": [59], "layers": [{"kind": "dense", "units": 9}]}
    spec = replace(spec, outcome=replace(spec.outcome, network=network))
    outcome = played(tmp_path, spec)[0].outcome
    assert (outcome.shipped, outcome.reason) == (
        False,
        "network: it has 540 parameters, the vector 600",
    )


def test_an_outcome_of_an_earlier_life_is_counted_on_and_its_files_are_cleared(calm, tmp_path):
    """But for one on which another job stands: its devices still fetch it."""
    first, left = calm
    old = replace(first.outcome, release=7)
    backbone = manifest_files(first)[1]
    neighbour = replace(job(), id="neighbour")
    neighbour = replace(neighbour, model=replace(neighbour.model, backbone=backbone))
    with private_broker.start(engine="mosquitto") as running:
        port = running.address.port
        with TestClient("before").connect(port) as before:
            for topic, payload in left:
                if "/blobs/" in topic:
                    before.publish(topic, payload, retain=True)
            before.publish("selvedge/v1/fl/digits/outcome", encode(old), retain=True)
            before.publish("selvedge/v1/fl/neighbour/spec", encode(neighbour), retain=True)
        process = Process(running.url, tmp_path / "state")
        fleet = Fleet(port, shipping_job(1), random.Random(5))
        try:
            process.wait_until_up()
            fleet.publish_job()
            assert eventually(
                lambda: fleet.step() or (fleet.status is not None and fleet.status.state == "done"),
                60,
            )
            fleet.step(0.5)
            assert isinstance(fleet.outcome, JobOutcome)
            assert (fleet.outcome.release, fleet.outcome.shipped) == (8, True)
            wanted = {m.sha256 for m in manifest_files(fleet)}
            gone = {m.sha256 for m in manifest_files(first)} - wanted - {backbone.sha256}
            assert gone
            assert backbone.sha256 not in wanted

            def on_broker() -> set[str]:
                with TestClient("late").connect(port) as late:
                    late.subscribe("selvedge/v1/blobs/+/+/+")
                    return {m.topic.split("/")[3] for m in late.drain(0.4)}

            assert eventually(lambda: not gone & on_broker(), 15)
            assert wanted | {backbone.sha256} <= on_broker()
        finally:
            fleet.close()
            assert process.stop() == 0


def manifest_files(fleet):
    ref = fleet.outcome.manifest
    manifest = read_manifest(fleet.blobs[ref.sha256])
    return [
        ref,
        *(one.blob for one in manifest.artifacts),
        manifest.golden.inputs,
        manifest.golden.outputs,
    ]
