"""A real aggregator as a process that can be killed, and a fleet that sends what it should."""

import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
from paho.mqtt.client import MQTTMessage

from broker.contract.blobs import blob_chunks, blob_ref
from broker.contract.federated.channels import (
    AckChannel,
    EvaluationChannel,
    JobFileChannel,
    JobOutcomeChannel,
    JobSpecChannel,
    JobStatusChannel,
    RoundChannel,
    UpdateChannel,
)
from broker.contract.federated.codecs.spec import CodecOptions, CodecSpec
from broker.contract.federated.job import EvaluationSpec, JobSpec, StrategySpec
from broker.contract.federated.outcome import JobOutcome, OutcomeSpec
from broker.contract.federated.participant.eligible import asked_to_judge
from broker.contract.federated.round import Ack, Evaluation, JobStatus, Round
from broker.contract.messages import decode, encode
from broker.contract.shape import to_tree
from broker.contract.topics import Topics
from tests.support.aggregation import START, job, update
from tests.support.brokers import TestClient
from tests.support.npy import npy

ROOT = Path(__file__).resolve().parents[2]
TOPICS = Topics()
DEVICES = [f"pi-{n}" for n in range(4)]
RESEND_S = 0.4
LIFE_S = 0.25
"""The longest that an aggregator works before it is killed."""


def nearest_job(rounds: int) -> JobSpec:
    """A job whose bytes do not depend on the seeds that an aggregator draws."""
    codec = CodecSpec("int8", CodecOptions(rounding="nearest"))
    base = job(devices=len(DEVICES), rounds=rounds, strategy=StrategySpec("fedadam"))
    return replace(base, codec=codec, deadline_s=600.0)


def job_file(folder: Path, spec: JobSpec) -> Path:
    """What `selvedge fl start` reads: the job, and beside it the files that it names."""
    (folder / "head.f32").write_bytes(START.tobytes())
    (folder / "simd.wasm").write_bytes(b"\0asm trainer")
    tree = to_tree(spec)
    tree["model"] |= {"initial": "head.f32", "trainers": {"simd": "simd.wasm"}}
    path = folder / "digits.json"
    path.write_text(json.dumps(tree))
    return path


CALIBRATION = np.random.default_rng(4).standard_normal((40, 59)).astype(np.float32)


def shipping_job(rounds: int, **evaluation) -> JobSpec:
    """The same with a network that its parameters fit, judged and shipped."""
    base = nearest_job(rounds)
    network = {"input": [59], "layers": [{"kind": "dense", "units": 10}]}
    return replace(
        base,
        model=replace(base.model, example_floats=59),
        evaluation=EvaluationSpec(**({"holdout": 0.2, "deadline_s": 600.0} | evaluation)),
        outcome=OutcomeSpec(network, calibration=blob_ref(npy(CALIBRATION))),
    )


class Process:
    """`selvedge aggregator`, killed and started at will."""

    def __init__(self, url: str, state: Path, options: Sequence[str] = ()) -> None:
        """Start it; `options` are further words of its command."""
        self._argv = [sys.executable, "-m", "selvedge", "aggregator", "--json"]
        self._argv += ["--broker", url, "--state", str(state), *options]
        self.kills = 0
        self._start()

    def _start(self) -> None:
        self._child = subprocess.Popen(self._argv, cwd=ROOT, stdout=subprocess.PIPE)

    def wait_until_up(self) -> None:
        """Wait for its first words."""
        assert self._child.stdout is not None
        assert self._child.stdout.readline(), "the aggregator ended"

    def kill(self) -> None:
        """End it without a word, and start another."""
        self._end(signal.SIGKILL)
        self.kills += 1
        self._start()

    def children(self) -> list[psutil.Process]:
        """The processes that it has started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._child.pid).children()
        return []

    def stop(self) -> int:
        """End it in order."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        self._child.send_signal(number)
        code = self._child.wait(20)
        assert self._child.stdout is not None
        self._child.stdout.close()
        return code


class Fleet:
    """Devices behind one client; each sends again what nobody acknowledged."""

    def __init__(self, port: int, spec: JobSpec, chance: random.Random) -> None:
        """Connect; `chance` shuffles what is sent."""
        self.spec, self._chance = spec, chance
        self.round: Round | None = None
        self.status: JobStatus | None = None
        self.acked: set[tuple[int, str]] = set()
        self.refused: dict[str, str] = {}
        self.outcome: JobOutcome | None = None
        self.silent: set[str] = set()
        self.blobs: dict[str, bytes] = {}
        self.seen: list[str] = []
        self._chunks: dict[str, dict[int, bytes]] = {}
        self._sent_at = 0.0
        self._pending: list[tuple[str, int, bytes]] = []
        self._client = TestClient(f"fleet-{spec.id}").connect(port)
        self._client.subscribe(
            TOPICS.filter(RoundChannel, job=spec.id),
            TOPICS.filter(AckChannel, job=spec.id),
            TOPICS.filter(JobStatusChannel, job=spec.id),
            TOPICS.filter(JobOutcomeChannel, job=spec.id),
            f"{TOPICS.prefix}/blobs/+/+/+",
        )

    def publish_job(self) -> None:
        """As an operator does."""
        for place, chunk in blob_chunks(blob_ref(START.tobytes()), START.tobytes()):
            self._client.publish(TOPICS.topic(place), chunk, retain=True)
        if self.spec.outcome is not None:
            for place, chunk in blob_chunks(blob_ref(npy(CALIBRATION)), npy(CALIBRATION)):
                file = JobFileChannel(self.spec.id, place.sha256, place.bucket, place.chunk)
                self._client.publish(TOPICS.topic(file), chunk, retain=True)
        topic = TOPICS.topic(JobSpecChannel(self.spec.id))
        self._client.publish(topic, encode(self.spec), retain=True)

    def step(self, timeout_s: float = 0.02) -> None:
        """Hear what has come, and send what is due."""
        self.hear(timeout_s)
        if not self._pending and time.monotonic() - self._sent_at > RESEND_S:
            self._send()
        if self._pending:
            device, n, data = self._pending.pop()
            self._sent_at = time.monotonic()
            assert self.round is not None
            place = UpdateChannel(self.spec.id, self.round.number, 0, device, n)
            self._client.paho.publish(TOPICS.topic(place), data, 1)

    def hear(self, timeout_s: float = 0.02) -> None:
        """Hear what has come, and send nothing."""
        for message in self._client.drain(timeout_s):
            self._hear(message)

    def final_model(self) -> np.ndarray:
        """The parameters that the last round message names."""
        assert self.round is not None
        return np.frombuffer(self.blobs[self.round.model.sha256], "<f4")

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()

    def _hear(self, message: MQTTMessage) -> None:
        channel = TOPICS.channel(message.topic)
        match channel:
            case RoundChannel():
                told = decode(Round, message.payload)
                if self.round is None or told.number != self.round.number:
                    self._sent_at, self._pending = 0.0, []
                self.round = told
            case AckChannel(_, number, device):
                ack = decode(Ack, message.payload)
                if ack.refused is not None:
                    self.refused[device] = ack.refused
                elif ack.whole:
                    self.acked.add((number, device))
            case JobStatusChannel():
                self.status = decode(JobStatus, message.payload)
            case JobOutcomeChannel():
                self.outcome = decode(JobOutcome, message.payload)
                self.seen.append("outcome")
            case _:
                if message.payload:
                    chunks = self._chunks.setdefault(channel.sha256, {})
                    chunks[channel.chunk] = message.payload
                    self.blobs[channel.sha256] = b"".join(chunks[n] for n in sorted(chunks))
                    self.seen.append(channel.sha256)

    def _send(self) -> None:
        self._sent_at = time.monotonic()
        told = self.round
        if told is not None and asked_to_judge(self.spec, told):
            self._judge(told)
        if told is None or told.state != "open":
            return
        pieces = []
        for device in DEVICES:
            if (told.number, device) in self.acked:
                continue
            encoded = update(self.spec, device, told.number, told.seed)
            pieces += [(device, n, data) for n, data in enumerate(encoded)]
            place = EvaluationChannel(self.spec.id, told.number, device)
            self._client.paho.publish(TOPICS.topic(place), encode(Evaluation(8, 1.0, 4)), 1)
        self._chance.shuffle(pieces)
        self._pending = pieces

    def _judge(self, told: Round) -> None:
        """Every device says something else; each says it again and again."""
        for n, device in enumerate(DEVICES):
            if device not in self.silent:
                found = Evaluation(10 + n, 0.5 + n / 10, 5 + n, 2.5, 1)
                place = EvaluationChannel(self.spec.id, told.number, device)
                self._client.paho.publish(TOPICS.topic(place), encode(found), 1)


def run_job(
    url: str,
    port: int,
    state: Path,
    spec: JobSpec,
    kills: int,
    seed: int,
    aims: tuple[str, ...] = (),
) -> Fleet:
    """Run a job to its end under so many SIGKILLs at random times; give its fleet back.

    One more comes in each state of `aims`.
    """
    chance, left = random.Random(seed), set(aims)
    process = Process(url, state)
    fleet = Fleet(port, spec, chance)
    try:
        process.wait_until_up()
        fleet.publish_job()
        give_up_at = time.monotonic() + 60 + 10 * kills
        at = time.monotonic() + chance.uniform(0, LIFE_S)
        while fleet.round is None or fleet.round.state != "done":
            assert time.monotonic() < give_up_at, (fleet.status, fleet.refused)
            fleet.step()
            if fleet.status is not None and fleet.status.state in left:
                left.remove(fleet.status.state)
                process.kill()
            if process.kills < kills + len(aims) - len(left) and time.monotonic() > at:
                process.kill()
                # Now and then in the middle of its start, mostly at work.
                if chance.random() < 0.8:
                    process.wait_until_up()
                at = time.monotonic() + chance.uniform(0, LIFE_S)
        give_up_at = time.monotonic() + 30
        while spec.outcome is not None and fleet.outcome is None:
            assert time.monotonic() < give_up_at, "no outcome was told"
            fleet.step()
        fleet.step(0.3)
        assert process.kills >= kills + len(aims), "the job was over too soon"
    finally:
        process.stop()
        fleet.close()
    return fleet
