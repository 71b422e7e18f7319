"""`selvedge fl start|status|stop` and `selvedge aggregator`, as an operator calls them."""

import json
import random

import numpy as np
import pytest
from PIL import Image

import selvedge
from broker.contract.blobs import blob_ref
from broker.contract.bundle.manifest import read_manifest
from broker.contract.federated.round import JobControl, JobStatus
from broker.contract.messages import decode, encode
from broker.contract.shape import to_tree
from tests.support import aggregator_rig
from tests.support.aggregation import START
from tests.support.aggregator_rig import Fleet, Process, nearest_job, shipping_job
from tests.support.brokers import TestClient, eventually
from tests.support.npy import npy


def called(capsys, *words):
    code = selvedge.main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def job_file(tmp_path):
    return aggregator_rig.job_file(tmp_path, nearest_job(2))


def test_a_job_from_start_to_end(broker, job_file, tmp_path, capsys):
    process = Process(broker.url, tmp_path / "state")
    fleet = Fleet(broker.address.port, nearest_job(2), random.Random(1))
    where = ("--broker", broker.url)
    try:
        process.wait_until_up()
        code, told = called(capsys, "fl", "start", job_file, *where, "--set", "rounds=3")
        assert (code, told["parameters"]) == (0, START.size)
        assert eventually(lambda: fleet.step() or fleet.round is not None)
        assert called(capsys, "fl", "stop", "digits", "--reason", "lunch", *where)[0] == 0
        assert eventually(lambda: fleet.step() or fleet.round.state == "stopped")
        assert fleet.round.reason == "lunch"
        assert called(capsys, "fl", "stop", "digits", "--undo", *where)[0] == 0
        assert eventually(lambda: fleet.step() or fleet.round.state == "done", 30)
        code, told = called(
            capsys, "fl", "status", "digits", "--follow", "--out", tmp_path / "out", *where
        )
        assert code == 0
        assert told["jobs"]["digits"]["state"] == "done"
        assert len((tmp_path / "out" / "digits.csv").read_text().splitlines()) == 4
        assert Image.open(tmp_path / "out" / "digits.png").format == "PNG"
    finally:
        fleet.close()
        assert process.stop() == 0


@pytest.mark.parametrize(("gate", "code"), [(9.0, 0), (0.1, 4)])
def test_a_job_that_ships_from_its_file_to_the_outcome(broker, gate, code, tmp_path, capsys):
    spec = shipping_job(1)
    job_file = aggregator_rig.job_file(tmp_path, spec)
    (tmp_path / "net.json").write_text(json.dumps(spec.outcome.network))
    (tmp_path / "inputs.npy").write_bytes(npy(aggregator_rig.CALIBRATION))
    tree = json.loads(job_file.read_text())
    tree["outcome"] = {"network": "net.json"}
    job_file.write_text(json.dumps(tree))
    process = Process(broker.url, tmp_path / "state")
    fleet = Fleet(broker.address.port, spec, random.Random(1))
    words = ("--calibration", tmp_path / "inputs.npy", "--set", f"evaluation.gate_loss={gate}")
    try:
        process.wait_until_up()
        assert called(capsys, "fl", "start", job_file, "--broker", broker.url, *words)[0] == 0
        assert eventually(lambda: fleet.step() or fleet.outcome is not None, 40)
        found, told = called(capsys, "fl", "status", "digits", "--follow", "--broker", broker.url)
        status = told["jobs"]["digits"]
        assert found == code
        assert (status["state"], status["shipped"], status["release"]) == ("done", not code, 1)
        assert status["judged"]["baseline_loss"] == 2.5
    finally:
        fleet.close()
        assert process.stop() == 0


def test_a_vector_becomes_files_without_a_job(tmp_path, capsys):
    spec = shipping_job(1)
    job_file = aggregator_rig.job_file(tmp_path, spec)
    tree = json.loads(job_file.read_text())
    tree["outcome"] = {"network": spec.outcome.network}
    job_file.write_text(json.dumps(tree))
    (tmp_path / "inputs.npy").write_bytes(npy(aggregator_rig.CALIBRATION))
    words = ("fl", "export", job_file, tmp_path / "head.f32", tmp_path / "out")
    code, told = called(capsys, *words, "--calibration", tmp_path / "inputs.npy")
    assert code == 0
    assert told["agreement"] > 0.9
    manifest = read_manifest((tmp_path / "out" / "manifest.json").read_bytes())
    for artifact, name in zip(
        manifest.artifacts,
        ("model.tflite", "model-simd.wasm", "model-scalar.wasm", "model.plan"),
        strict=True,
    ):
        assert blob_ref((tmp_path / "out" / name).read_bytes()) == artifact.blob
    # Every runtime of ours runs its file and gives the golden outputs.
    (tmp_path / "in.npy").write_bytes(
        npy(
            np.frombuffer((tmp_path / "out" / "golden-inputs.bin").read_bytes(), np.int8)[:59][None]
        )
    )
    wanted = np.frombuffer((tmp_path / "out" / "golden-outputs.bin").read_bytes(), np.int8)[:10]
    for name in ("model.tflite", "model-simd.wasm", "model.plan"):
        answer = tmp_path / "answer.npy"
        asked = ("infer", tmp_path / "out" / name, "--input", tmp_path / "in.npy")
        assert called(capsys, *asked, "--output", answer)[0] == 0
        off = np.load(answer).ravel().astype(int) - wanted
        assert np.abs(off).max() <= (manifest.golden.tolerance if "plan" in name else 0)
    (tmp_path / "short.f32").write_bytes(b"1234")
    code, told = called(capsys, "fl", "export", job_file, tmp_path / "short.f32", tmp_path / "out")
    assert (code, told["error"]) == (2, "the job has 600 parameters, not 1")


def test_a_job_that_this_aggregator_cannot_run_is_refused(mosquitto, tmp_path, capsys):
    process = Process(mosquitto.url, tmp_path / "state")
    bad = to_tree(nearest_job(2)) | {"strategy": {"name": "magic"}}
    try:
        process.wait_until_up()
        with TestClient("operator").connect(mosquitto.address.port) as client:
            topic = "selvedge/v1/fl/digits/spec"
            client.publish(topic, json.dumps(bad).encode(), retain=True)
        wait = ("--follow", "--timeout", "10", "--broker", mosquitto.url)
        code, told = called(capsys, "fl", "status", "digits", *wait)
        assert code == 3
        assert "magic" in told["jobs"]["digits"]["reason"]
    finally:
        assert process.stop() == 0


def test_a_wait_that_ends_before_the_job_does_is_told_apart(mosquitto, capsys):
    follow = ("fl", "status", "digits", "--follow", "--timeout", "0.1")
    assert called(capsys, *follow, "--broker", mosquitto.url) == (5, {"jobs": {}})
    running = encode(JobStatus("running", 3, 1))
    with TestClient("aggregator").connect(mosquitto.address.port) as client:
        client.publish("selvedge/v1/fl/digits/status", running, retain=True)
    code, told = called(capsys, *follow, "--broker", mosquitto.url)
    assert (code, told["jobs"]["digits"]["state"]) == (5, "running")


def test_two_aggregators_do_not_share_a_folder(mosquitto, tmp_path, capsys):
    process = Process(mosquitto.url, tmp_path / "state")
    try:
        process.wait_until_up()
        words = ("aggregator", "--broker", mosquitto.url, "--state", tmp_path / "state")
        code, told = called(capsys, *words)
        assert code == 3
        assert "another aggregator" in told["error"]
    finally:
        assert process.stop() == 0


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("fl", "start", "nowhere.toml"), "nowhere.toml"),
        (("fl", "status", "--follow"), "name the job"),
        (("fl", "simulate", "--devices", "0"), "--devices"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words, word, capsys):
    code, told = called(capsys, *words)
    assert code == 2
    assert word in told["error"]


def test_a_simulation_that_cannot_be_written_says_where(tmp_path, capsys):
    (tmp_path / "file").touch()
    words = ("fl", "simulate", "--devices", "3", "--rounds", "1", "--out", tmp_path / "file")
    code, told = called(capsys, *words)
    assert code == 3
    assert told["error"] == f"{tmp_path / 'file'}: File exists; choose a folder to write to"


def test_what_stop_writes_is_in_the_contract(mosquitto, capsys):
    called(capsys, "fl", "stop", "digits", "--broker", mosquitto.url)
    with TestClient("ear").connect(mosquitto.address.port) as ear:
        ear.subscribe("selvedge/v1/fl/+/control")
        assert decode(JobControl, ear.receive().payload).wanted == "stop"
