"""A real aggregator behind a real broker, and a client that says everything that is wrong.

Each lie is refused with a reason or bounded, and counted; the round goes on, and the model is that
of a job in which nobody lied, byte for byte.
"""

import random
from dataclasses import replace

import numpy as np
import pytest

from broker.contract.federated.channels import (
    AckChannel,
    EvaluationChannel,
    JobControlChannel,
    JobSpecChannel,
    UpdateChannel,
)
from broker.contract.federated.job import PrivacySpec
from broker.contract.federated.round import Ack
from broker.contract.federated.update import decode_slice
from broker.contract.messages import decode
from broker.contract.topics import Topics
from tests.support.aggregation import START, Bench, job, update
from tests.support.aggregator_rig import DEVICES, Fleet, Process
from tests.support.brokers import TestClient, eventually
from tests.support.lying_updates import LIES, f32, greedy, times

TOPICS = Topics()
CLIP, ROUNDS = 0.5, 3
PATIENCE_S = 30.0
SPEC = job(codec="f32", rounds=ROUNDS, deadline_s=600.0, privacy=PrivacySpec(clip_norm=CLIP))


class Liar:
    """A client with many names; it hears every word of the aggregator."""

    def __init__(self, port: int) -> None:
        self._client = TestClient("liar").connect(port)
        self._client.subscribe(TOPICS.filter(AckChannel))
        self._acks: dict[tuple[str, int, str], Ack] = {}

    def say(self, spec, number: int, device: str, payloads: list[bytes]) -> None:
        """Send messages as the slices of an update."""
        for place, payload in enumerate(payloads):
            channel = UpdateChannel(spec.id, number, 0, device, place)
            self._client.publish(TOPICS.topic(channel), payload)

    def publish(self, topic: str, payload: bytes) -> None:
        """Say something elsewhere."""
        self._client.publish(topic, payload)

    def told(self, spec, number: int, device: str) -> Ack | None:
        """The aggregator's last word on a name."""
        for message in self._client.drain(0.02):
            channel = TOPICS.channel(message.topic)
            self._acks[channel.job, channel.round, channel.device] = decode(Ack, message.payload)
        return self._acks.get((spec.id, number, device))

    def refusal(self, spec, number: int, device: str) -> str:
        """Why a name is refused; waits for it."""
        assert eventually(lambda: self.told(spec, number, device) is not None, PATIENCE_S), device
        ack = self.told(spec, number, device)
        assert ack is not None
        assert not ack.counted
        assert ack.refused, device
        return ack.refused

    def close(self) -> None:
        self._client.disconnect()


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def process(mosquitto, state):
    running = Process(mosquitto.url, state)
    running.wait_until_up()
    yield running
    assert running.stop() == 0, "nothing of it ended the aggregator"


@pytest.fixture
def liar(mosquitto):
    liar = Liar(mosquitto.address.port)
    yield liar
    liar.close()


def begun(port: int, spec, seed: int = 1) -> Fleet:
    """A fleet whose job has its first round; it has sent nothing yet."""
    fleet = Fleet(port, spec, random.Random(seed))
    fleet.publish_job()
    assert eventually(lambda: fleet.hear() or fleet.round is not None, PATIENCE_S)
    return fleet


def undisturbed(spec, rounds: int) -> np.ndarray:
    """The model of a job in which everybody is honest."""
    bench = Bench(spec, None)
    for _ in range(rounds):
        for device in DEVICES:
            bench.send(device)
        bench.commit()
    return bench.at.vectors.model


def test_every_lie_is_refused_and_counted_and_the_round_goes_on(mosquitto, process, liar, state):
    fleet = begun(mosquitto.address.port, SPEC)
    names = {name: f"liar-{n}" for n, name in enumerate(LIES)}
    for name, device in names.items():
        liar.say(SPEC, 1, device, LIES[name])
    reasons = {name: liar.refusal(SPEC, 1, device) for name, device in names.items()}
    assert len(set(reasons.values())) > len(LIES) // 2, "reasons tell what was wrong"
    assert "x must be at most 1048576, got 1000000000000" in reasons["10^12 examples"]

    honest = update(SPEC, DEVICES[0], 1, fleet.round.seed)
    liar.say(SPEC, 7, "late", honest)
    assert "round 7 is not open" in liar.refusal(SPEC, 7, "late")
    liar.say(SPEC, 1, DEVICES[0], honest[:1])
    liar.say(SPEC, 1, DEVICES[0], honest[:1])
    liar.say(replace(SPEC, id="nobodys"), 1, "pi-0", honest)
    topic = TOPICS.topic(UpdateChannel(SPEC.id, 1, 0, "long", 0))
    liar.publish(topic, bytes(200_000))
    assert "exceeds the limit" in liar.refusal(SPEC, 1, "long")
    for place in ("up/0/pi 0/0", "up/0/pi-0/-1", "up/x/pi-0/0", "up/0/pi-0/99999999999999999999"):
        liar.publish(f"selvedge/v1/fl/{SPEC.id}/1/{place}", honest[0])
    for said in (b'{"examples":-1,"loss":1}', b'{"examples":3,"loss":NaN}', b"\xff", b"{}"):
        liar.publish(TOPICS.topic(EvaluationChannel(SPEC.id, 1, "liar-0")), said)
    liar.publish(TOPICS.topic(JobControlChannel(SPEC.id)), b'{"wanted":"explode"}')
    liar.publish(TOPICS.topic(JobSpecChannel(SPEC.id)), b'{"id":"digits","rounds":1}')

    assert eventually(lambda: fleet.step() or fleet.round.state == "done", PATIENCE_S)
    fleet.step(0.3)
    history = fleet.status.history
    assert [each.updates for each in history] == [len(DEVICES)] * ROUNDS
    assert [each.accuracy for each in history] == [0.5] * ROUNDS, "honest evaluations only"
    assert history[0].refused >= len(LIES) + 1
    assert [each.refused for each in history[1:]] == [0] * (ROUNDS - 1)
    assert fleet.final_model().tobytes() == undisturbed(SPEC, ROUNDS).tobytes()
    assert [path.stem for path in state.glob("*.sqlite")] == [SPEC.id], "no other job began"
    fleet.close()


def test_updates_of_another_job_and_too_many_values_are_refused(mosquitto, process, liar):
    sparse = replace(job(codec="top_k", rounds=1, deadline_s=600.0), id="sparse")
    dense, other = begun(mosquitto.address.port, SPEC), begun(mosquitto.address.port, sparse)
    liar.say(sparse, 1, "astray", update(SPEC, "astray", 1, dense.round.seed))
    assert "codec of this job is top_k" in liar.refusal(sparse, 1, "astray")
    liar.say(SPEC, 1, "astray", update(sparse, "astray", 1, other.round.seed))
    assert "codec of this job is f32" in liar.refusal(SPEC, 1, "astray")
    liar.say(sparse, 1, "greedy", greedy(sparse, "greedy", 1, other.round.seed))
    assert "exceed" in liar.refusal(sparse, 1, "greedy")
    for fleet in (other, dense):
        assert eventually(
            lambda fleet=fleet: fleet.step() or fleet.round.state == "done", PATIENCE_S
        )
        fleet.step(0.3)
        assert fleet.status.history[0].updates == len(DEVICES)
        assert fleet.status.history[0].refused == (2 if fleet is other else 1)
        fleet.close()


def test_an_update_times_a_thousand_moves_the_model_no_further_than_an_honest_one(
    mosquitto, process, liar
):
    """Clipped to the job's norm, and weighed with no more examples than the job lets count."""
    wanted = replace(SPEC.participation, goal=2, quorum=2, max_examples=100)
    spec = replace(SPEC, rounds=1, participation=wanted)
    fleet = begun(mosquitto.address.port, spec)
    liar.say(spec, 1, "loud", times(spec, "loud", 1, 1000))
    assert eventually(
        lambda: (ack := liar.told(spec, 1, "loud")) is not None and ack.counted, PATIENCE_S
    )
    many = [f32(np.zeros(length), n, examples=2**20) for n, length in enumerate((256, 256, 88))]
    liar.say(spec, 1, "many", many)
    assert eventually(lambda: fleet.hear() or fleet.round.state == "done", PATIENCE_S)
    assert eventually(lambda: fleet.hear() or fleet.round.model.sha256 in fleet.blobs, PATIENCE_S)
    moved = fleet.final_model().astype(np.float64) - START
    [loud] = {piece.examples for piece in map(decode_slice, times(spec, "loud", 1, 1000))}
    share = min(loud, 100) / (min(loud, 100) + 100)
    assert np.linalg.norm(moved) == pytest.approx(CLIP * share, rel=1e-4)
    fleet.close()
