"""A job on handwritten digits, agents with samples of their own, and a client that watches them."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.config.samples import SamplesConfig
from agent.learning.samples.adapters.sqlite_samples import SAMPLES_FILE, SqliteSamples
from agent.learning.samples.sample import Example, Sample
from broker.contract.blobs import BlobRef, blob_chunks
from broker.contract.bundle.manifest import Manifest, read_manifest
from broker.contract.channel import Channel
from broker.contract.codec import encode_json
from broker.contract.federated.channels import (
    AckChannel,
    BlobChannel,
    EvaluationChannel,
    JobControlChannel,
    JobFileChannel,
    JobOutcomeChannel,
    JobSpecChannel,
    JobStatusChannel,
    RoundChannel,
    UpdateChannel,
)
from broker.contract.federated.job import JobSpec
from broker.contract.federated.outcome import JobOutcome
from broker.contract.federated.round import Ack, Evaluation, JobStatus, Round
from broker.contract.messages import decode
from broker.learning.job_file import resolve
from tests.support.agents import LABELS, TOPICS, Fleet, RunningAgent
from tests.support.npy import npy
from tests.support.secured_broker import Fleet as SecuredFleet
from tests.support.trainers import module_of
from toolchain.digits import Digits, split
from toolchain.digits.adapters import scikit
from toolchain.training import network as n

HEAD = n.Network((64,), (n.Dense(10),), batch=32)
PARAMETERS = 650
FILES = {
    "head.f32": np.zeros(PARAMETERS, "<f4").tobytes(),
    "simd.wasm": module_of(HEAD, "simd"),
    "scalar.wasm": module_of(HEAD, "scalar"),
}


def job(devices: int = 3, rounds: int = 4, **changes: Any) -> dict[str, Any]:
    """The document of a job, with files instead of blobs."""
    tree: dict[str, Any] = {
        "id": "digits",
        "rounds": rounds,
        "deadline_s": 120,
        "model": {
            "name": "head",
            "initial": "head.f32",
            "trainers": {"simd": "simd.wasm", "scalar": "scalar.wasm"},
            "example_floats": 64,
            "labels": LABELS,
        },
        "local": {"epochs": 3, "batch": 16, "learning_rate": 0.5},
        "participation": {"goal": devices, "quorum": devices, "min_examples": 10},
        "evaluation": {"holdout": 0.2},
        "slice_parameters": 100,
    }
    return tree | changes


def digits() -> tuple[Digits, Digits]:
    """Digits to learn from, and others to judge by."""
    return split(scikit.load(), np.random.default_rng(5))


def samples_of(known: Digits, at: Sequence[int] | np.ndarray) -> list[Sample]:
    """Some digits as labelled samples: 64 real numbers between 0 and 1."""
    return [
        Sample(
            f"digit {place}",
            str(known.labels[place]),
            Example((known.images[place].ravel() / 255).astype("<f4").tobytes(), "float32"),
        )
        for place in map(int, at)
    ]


def circle(devices: int, rounds: int) -> dict[str, Any]:
    """A job whose outcome is judged by the devices, quantized and shipped; see `calibration`."""
    network = {"input": [8, 8, 1], "layers": [{"kind": "dense", "units": 10}]}
    outcome = {"network": network, "input_kind": "image", "calibration": "inputs.npy"}
    outcome |= {"input_scale": 1 / 255, "input_zero_point": -128}
    tree = job(devices, rounds, outcome=outcome)
    tree["evaluation"] |= {"gate_baseline": True, "deadline_s": 60}
    return tree


def calibration(judges: Digits) -> bytes:
    """Some pictures that nobody learns from, as real numbers in a `.npy`."""
    return npy((judges.images[:100] / 255).astype("<f4"))


def accuracy(parameters: bytes, judges: Digits) -> float:
    """How many of the digits a head gets right."""
    vector = np.frombuffer(parameters, "<f4")
    weights, biases = vector[:640].reshape(10, 64), vector[640:]
    scores = (judges.images.reshape(-1, 64) / 255) @ weights.T + biases
    return float((scores.argmax(axis=1) == judges.labels).mean())


class Learner:
    """Where one agent under test has its files."""

    def __init__(self, folder: Path, device: str, samples: Sequence[Sample], **learning: Any):
        """Give it samples; its pipeline need not run for them to serve a job."""
        self.device, self.state = device, folder / f"state-{device}"
        self.config = folder / f"{device}.toml"
        words = {"jobs": ["digits"]} | learning
        inline = ", ".join(f"{key} = {json.dumps(value)}" for key, value in words.items())
        self.config.write_text(
            "metrics_interval_s = 0.5\n[pipelines.digits]\nmodel = '/none.tflite'\n"
            "enabled = false\nsource = {kind = 'replay', path = '/none'}\n"
            f"postprocess = {{kind = 'classify'}}\nlearning = {{{inline}}}\n"
        )
        self.keep(samples)

    def keep(self, samples: Sequence[Sample]) -> None:
        """Put samples in its store."""
        store = SqliteSamples(self.state / SAMPLES_FILE)
        if samples:
            store.put("digits", samples, SamplesConfig(), 5)
        store.close()

    def start(self, port: int, **options: Any) -> RunningAgent:
        """Start it."""
        return RunningAgent(self.config, port, self.device, state=self.state, **options)

    def start_secured(
        self, fleet: SecuredFleet, certificate: str, host: str = "localhost"
    ) -> subprocess.Popen[bytes]:
        """Start it with the certificate of somebody; `host` is a name that the broker's has."""
        words = ["--config", self.config, "--device", self.device, "--state", self.state]
        words += ["--broker", f"mqtts://{host}:{fleet.port}"]
        member = fleet.root / "devices" / certificate
        named = {"ca": "ca.crt", "cert": "client.crt", "key": "client.key"}
        words += [
            f"--set=broker.{key}={json.dumps(str(member / file))}" for key, file in named.items()
        ]
        command = [sys.executable, "-m", "selvedge", "agent", *map(str, words)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Watch(Fleet):
    """What the aggregator says, and what the devices send it."""

    def __init__(
        self,
        port: int,
        name: str = "fleet-watch",
        prepare: Callable[[Any], object] = lambda _: None,
    ) -> None:
        self.outcomes: list[JobOutcome] = []
        self.rounds: list[Round] = []
        self.jobs: list[JobStatus] = []
        self.by_job: dict[str, JobStatus] = {}
        self.acks: list[tuple[int, str, Ack]] = []
        self.slices: list[tuple[int, str, int, bytes]] = []
        self.evaluations: list[tuple[int, str, Evaluation]] = []
        self.blobs: dict[tuple[str, int], bytes] = {}
        self.files = dict(FILES)
        super().__init__(port, name, prepare)

    def _sort(self, channel: object, payload: bytes) -> None:
        match channel:
            case JobOutcomeChannel() if payload:
                self.outcomes.append(decode(JobOutcome, payload))
            case RoundChannel() if payload:
                self.rounds.append(decode(Round, payload))
            case JobStatusChannel(name) if payload:
                self.by_job[name] = decode(JobStatus, payload)
                self.jobs.append(self.by_job[name])
            case AckChannel(_, number, device):
                self.acks.append((number, device, decode(Ack, payload)))
            case UpdateChannel(_, number, _, device, place):
                self.slices.append((number, device, place, payload))
            case EvaluationChannel(_, number, device):
                self.evaluations.append((number, device, decode(Evaluation, payload)))
            case BlobChannel(sha256, _, chunk) if payload:
                self.blobs[sha256, chunk] = payload
            case _:
                super()._sort(channel, payload)

    def start_job(self, tree: dict[str, Any]) -> JobSpec:
        """Publish a job as `selvedge fl start` does."""
        made = resolve(tree, self.files.__getitem__)
        spec = made.spec
        for ref, data in made.blobs.items():
            for place, chunk in blob_chunks(ref, data):
                self._retain(place, chunk)
        for ref, data in made.secret.items():
            for at, chunk in blob_chunks(ref, data):
                file = JobFileChannel(spec.id, at.sha256, at.bucket, at.chunk)
                self._retain(file, chunk)
        self._retain(JobControlChannel(spec.id), encode_json({"wanted": "run"}))
        self._retain(JobSpecChannel(spec.id), made.payload)
        return spec

    def blob(self, ref: BlobRef) -> bytes:
        """A file, from its chunks."""
        return b"".join(self.blobs[ref.sha256, chunk] for chunk in range(ref.chunks))

    def release(self) -> Manifest:
        """The manifest of the last outcome."""
        ref = self.outcomes[-1].manifest
        assert ref is not None, self.outcomes[-1].reason
        return read_manifest(self.blob(ref))

    def serving(self, device: str) -> str | None:
        """The model that gave the last result of a device's pipeline `digits`."""
        told = self.results.get((device, "digits"), [])
        return told[-1].model if told else None

    def is_over(self) -> bool:
        """Whether the job is done."""
        return bool(self.jobs) and self.jobs[-1].state == "done"

    def round(self) -> int:
        """The round that is open; 0 if none is."""
        return self.rounds[-1].number if self.rounds and self.rounds[-1].state == "open" else 0

    def sent(self, device: str, number: int) -> dict[int, set[bytes]]:
        """All that a device ever sent for each place of an update."""
        found: dict[int, set[bytes]] = {}
        for told, name, place, payload in list(self.slices):
            if (told, name) == (number, device):
                found.setdefault(place, set()).add(payload)
        return found

    def learning(self, device: str, job: str = "digits") -> Any:
        """Where a device says that it stands."""
        status = self.status(device)
        return (status.learning or {}).get(job) if status else None

    def why(self, device: str, job: str = "digits") -> str | None:
        """The reason that a device gives for where it stands."""
        told = self.learning(device, job)
        return told.reason if told is not None else None

    def stands(self, device: str, *states: str, job: str = "digits") -> bool:
        """Whether a device says that it stands in one of these states."""
        told = self.learning(device, job)
        return told is not None and told.state in states

    def _retain(self, channel: Channel, payload: bytes) -> None:
        self.client.publish(TOPICS.topic(channel), payload, retain=True)
