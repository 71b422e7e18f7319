"""A federated job under `broker init`: TLS, certificates, and a device that is a thief.

The thief has a valid certificate of its own. It can send what it likes under its own name; this is
about all the rest.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import selvedge
from broker.aggregator.adapters import link
from broker.contract.federated.channels import (
    AckChannel,
    EvaluationChannel,
    JobControlChannel,
    JobFileChannel,
    JobSpecChannel,
    JobStatusChannel,
    MissingChannel,
    RoundChannel,
    UpdateChannel,
)
from broker.contract.federated.round import Ack, Evaluation, JobControl, Round
from broker.contract.messages import decode, encode
from broker.contract.topics import Topics
from tests.support.aggregation import Bench, update
from tests.support.aggregator_rig import Process, job_file, nearest_job
from tests.support.brokers import TestClient, eventually
from tests.support.federation import FILES, Learner, digits, samples_of
from tests.support.federation import job as learners_job
from tests.support.secured_broker import Fleet, files, free_pair, init

DEVICES = ("pi-1", "pi-2")
TOPICS = Topics()
PATIENCE_S = 30.0
SPEC = nearest_job(2)
SPEC = replace(SPEC, participation=replace(SPEC.participation, goal=2, quorum=2))


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)  # a broker started by root gives up root and must get there
        root, port = Path(parent) / "fleet", free_pair()
        names = [word for device in (*DEVICES, "thief") for word in ("--device", device)]
        more = ["--aggregator", "hub", "--host", "localhost", "--port", str(port)]
        assert init(root, *names, *more) == 0
        running = Fleet(root, port)
        yield running
        running.process.stop()


@pytest.fixture
def operators(fleet) -> list[str]:
    """Where and as whom an operator speaks to the broker."""
    url = f"mqtts://localhost:{fleet.operators_port}"
    return ["--broker", url, *files(fleet.root / "operators" / "admin")]


@pytest.fixture
def process(fleet, tmp_path) -> Iterator[Process]:
    url = f"mqtts://localhost:{fleet.operators_port}"
    running = Process(url, tmp_path / "state", files(fleet.root / "aggregators" / "hub"))
    running.wait_until_up()
    yield running
    assert running.stop() == 0


class Device:
    """A device that hears what concerns it, and all that it can of what does not."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.name = name
        self.client: TestClient = fleet.device(name)
        kinds = (RoundChannel, AckChannel, MissingChannel, UpdateChannel, EvaluationChannel)
        self.client.subscribe("#", f"{TOPICS.prefix}/fl/#", *map(TOPICS.filter, kinds))
        self.round: Round | None = None
        self.acks: dict[int, Ack] = {}
        self.heard: set[type] = set()
        self.others: list[str] = []

    def hear(self) -> None:
        for message in self.client.drain(0.02):
            channel = TOPICS.channel(message.topic)
            self.heard.add(type(channel))
            if getattr(channel, "device", self.name) != self.name:
                self.others.append(message.topic)
            match channel:
                case RoundChannel():
                    self.round = decode(Round, message.payload)
                case AckChannel(_, number, _):
                    self.acks[number] = decode(Ack, message.payload)

    def is_in(self, number: int) -> bool:
        self.hear()
        return self.round is not None and self.round.number == number

    def sends(self, number: int) -> None:
        for n, data in enumerate(update(SPEC, self.name, number, "0" * 16)):
            channel = UpdateChannel(SPEC.id, number, 0, self.name, n)
            self.client.publish(TOPICS.topic(channel), data)
        place = EvaluationChannel(SPEC.id, number, self.name)
        self.client.publish(TOPICS.topic(place), encode(Evaluation(8, 1.0, 4)))


def steals(thief: Device, told: Round) -> None:
    """Say in other names all that could stop or spoil the round, retained and not."""
    lie = update(SPEC, "thief", told.number, told.seed)
    job, number, bad = SPEC.id, told.number, b"\xff"
    refusal, over = encode(Ack(False, refused="no")), encode(replace(told, state="done"))
    for victim in DEVICES:
        for n, data in enumerate([bad, *lie[1:]]):
            thief.client.publish(TOPICS.topic(UpdateChannel(job, number, 0, victim, n)), data)
        worse = encode(Evaluation(2**20, 1e9, 0))
        thief.client.publish(TOPICS.topic(EvaluationChannel(job, number, victim)), worse)
        thief.client.publish(TOPICS.topic(AckChannel(job, number, victim)), refusal)
        thief.client.publish(TOPICS.topic(MissingChannel(job, number, victim)), b"[[0,2]]")
    blobs = [TOPICS.topic(told.model.channel(n)) for n in range(told.model.chunks)]
    stop = encode(JobControl("stop", "mine now"))
    said = {TOPICS.topic(RoundChannel(job)): over, TOPICS.topic(JobSpecChannel(job)): b""}
    said |= {TOPICS.topic(JobControlChannel(job)): stop, TOPICS.topic(JobStatusChannel(job)): b""}
    for topic, payload in (said | dict.fromkeys(blobs, b"")).items():
        thief.client.publish(topic, payload, retain=True)
    for topic in [f"{TOPICS.prefix}/fl/{job}/outcome", f"{TOPICS.prefix}/fl/other/spec"]:
        thief.client.publish(topic, b"{}", retain=True)


def test_a_thief_among_the_devices_changes_nothing_and_reads_nothing(
    fleet, process, operators, tmp_path, capsys
):
    assert selvedge.main(["fl", "start", str(job_file(tmp_path, SPEC)), *operators]) == 0
    with fleet.operator() as operator:
        calibration = JobFileChannel(SPEC.id, "ab" * 32, 0, 0)
        operator.publish(TOPICS.topic(calibration), b"for the aggregator alone", retain=True)
    honest = [Device(fleet, name) for name in DEVICES]
    thief = Device(fleet, "thief")
    for number in (1, 2):
        assert all(
            eventually(lambda d=d, n=number: d.is_in(n), PATIENCE_S) for d in (*honest, thief)
        )
        steals(thief, thief.round)
        for device in honest:
            device.sends(number)
            assert eventually(lambda d=device, n=number: d.hear() or n in d.acks, PATIENCE_S)
            assert device.acks[number] == Ack(whole=True, counted=True)
    for device in (*honest, thief):
        assert eventually(lambda d=device: d.hear() or d.round.state == "done", PATIENCE_S)
        assert device.others == [], "of other devices nothing is heard"
        assert JobFileChannel not in device.heard
    assert thief.acks == {}
    assert UpdateChannel not in thief.heard
    assert EvaluationChannel not in thief.heard
    assert UpdateChannel not in honest[0].heard, "nor an echo of its own"

    capsys.readouterr()
    assert selvedge.main(["fl", "status", SPEC.id, "--json", *operators]) == 0
    told = json.loads(capsys.readouterr().out)["jobs"][SPEC.id]
    assert told["state"] == "done"
    figures = [[one[key] for key in ("updates", "refused", "loss")] for one in told["history"]]
    assert figures == [[2, 0, 1.0]] * 2
    calm = Bench(SPEC, None)
    for _ in range(2):
        for device in DEVICES:
            calm.send(device)
        calm.commit()
    assert told["model"]["sha256"] == calm.at.job.model.sha256, "the model of two honest devices"
    for device in (*honest, thief):
        device.client.disconnect()


def test_agents_learn_with_certificates_and_one_in_anothers_name_does_not(
    fleet, process, operators, tmp_path, capsys
):
    known, _ = digits()
    names = [*DEVICES, "pi-2"]
    homes = [tmp_path / home for home in ("one", "two", "three")]
    agents = []
    try:
        for n, (name, home) in enumerate(zip(names, homes, strict=True)):
            home.mkdir()
            samples = samples_of(known, range(100 * n, 100 * n + 100))
            learner = Learner(home, name, samples, jobs=["learned"])
            agents.append(learner.start_secured(fleet, "thief" if n == 2 else name))
        for name, data in FILES.items():
            (tmp_path / name).write_bytes(data)
        path = tmp_path / "learned.json"
        path.write_text(json.dumps(learners_job(3, 1, id="learned", deadline_s=8)))
        changes = [
            "--set",
            "participation.quorum=2",
            "--set",
            "participation.goal=3",
            "--set",
            "participation.retries=10",
        ]
        words = ["fl", "start", str(path), *changes, "--wait", "--timeout", "90", "--json"]
        assert selvedge.main([*words, *operators]) == 0
        told = json.loads(capsys.readouterr().out)["jobs"]["learned"]
    finally:
        for agent in agents:
            agent.terminate()
            agent.wait(20)
    assert told["state"] == "done"
    assert [report["updates"] for report in told["history"]] == [2], "by quorum: never three"
    assert [report["refused"] for report in told["history"]] == [0]


@pytest.mark.parametrize("is_at_the_operators_port", [True, False])
def test_a_device_cannot_be_the_aggregator(
    fleet, tmp_path, capsys, monkeypatch, is_at_the_operators_port
):
    """It is not let in where aggregators are; where devices are, it hears and says nothing."""
    monkeypatch.setattr(link, "FIRST_ANSWER_S", 2.0)
    mine = files(fleet.root / "devices" / "thief")
    if is_at_the_operators_port:
        url = f"mqtts://localhost:{fleet.operators_port}"
        words = ["aggregator", "--broker", url, "--state", str(tmp_path / "state"), *mine]
        assert selvedge.main([*words, "--json"]) == 5
        assert "does not let us in" in json.loads(capsys.readouterr().out)["error"]
        return
    process = Process(f"mqtts://localhost:{fleet.port}", tmp_path / "state", mine)
    spec = replace(SPEC, id="pirated")
    try:
        process.wait_until_up()
        with fleet.operator() as operator:
            operator.subscribe(TOPICS.filter(RoundChannel), TOPICS.filter(JobStatusChannel))
            operator.drain()
            operator.publish(TOPICS.topic(JobSpecChannel(spec.id)), encode(spec), retain=True)
            assert operator.drain(1.0) == []
            operator.publish(TOPICS.topic(JobSpecChannel(spec.id)), b"", retain=True)
    finally:
        process.stop()
