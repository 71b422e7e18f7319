"""The contest under Selvedge: mosquitto, an aggregator and agents, as anyone starts them."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.config.samples import SamplesConfig
from agent.learning.samples.adapters.sqlite_samples import SAMPLES_FILE, SqliteSamples
from benchmarks.learning.contest import LOCAL, PATIENCE_S, SLICE_PARAMETERS, Contest, Side
from benchmarks.learning.play import samples_of
from benchmarks.peers.install import MissingError
from benchmarks.peers.memory import Memory, end
from benchmarks.peers.wire_meter import Crossed, WireMeter
from broker.adapters import private_broker
from broker.adapters.private_broker import RunningBroker
from broker.contract.blobs import BlobRef
from broker.contract.errors import TopicError
from broker.contract.federated.channels import BlobChannel, RoundChannel
from broker.contract.federated.codecs.spec import CodecSpec
from broker.contract.federated.round import Round
from broker.contract.messages import decode
from broker.contract.shape import to_tree
from broker.contract.topics import Topics
from broker.errors import UnavailableError
from toolchain import digits
from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.digits.adapters.scikit import load as load_digits
from toolchain.training.trainer import to_trainer

ROOT = Path(__file__).parents[2]
TOPICS = Topics()
PIPELINE = "digits"
INFERENCE = "agent.pipeline.app"
"""The process that serves the pipeline: it is there with or without federated learning."""

BOUNDS = SamplesConfig(limit_bytes=1 << 30, per_label=10**6)


@dataclass
class Fleet:
    """What is running, and what was heard.

    Attributes:
        crossed: what had crossed when a file was there: a model is, before its round is told of.
        told: every word on a round, when it came and what had crossed before its model.
    """

    folder: Path
    broker: RunningBroker
    meter: WireMeter
    client: Memory
    server: Memory
    blobs: dict[str, dict[int, bytes]] = field(default_factory=dict)
    crossed: dict[str, list[Crossed]] = field(default_factory=dict)
    told: "queue.Queue[tuple[float, Round, list[Crossed]]]" = field(default_factory=queue.Queue)

    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, command: str, url: str, *words: str, log: str = "") -> int:
        """Start a command; its process id."""
        name = log or command
        with (self.folder / f"{name}.log").open("wb") as said:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "selvedge", command, "--broker", url, *words],
                cwd=self.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        return self.running[name].pid

    def check(self) -> None:
        """Make sure that all of them run.

        Raises:
            MissingError: one ended; with its last line.
        """
        for name, one in self.running.items():
            if one.poll() is not None:
                said = (self.folder / f"{name}.log").read_text().strip().splitlines()
                raise MissingError(f"selvedge {name} ended: {said[-1] if said else '?'}")

    def hear(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        """Take a message; what is no round and no blob is for others."""
        now = time.time()
        try:
            channel = TOPICS.channel(message.topic)
        except TopicError:
            return
        match channel:
            case RoundChannel():
                told = decode(Round, bytes(message.payload))
                crossed = self.crossed.get(told.model.sha256) or self.meter.read()
                self.told.put((now, told, crossed))
            case BlobChannel(sha256, _, chunk) if message.payload:
                self.blobs.setdefault(sha256, {})[chunk] = bytes(message.payload)
                self.crossed[sha256] = self.meter.read()

    def model(self, ref: BlobRef) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Global parameters that were published."""
        chunks = self.blobs[ref.sha256]
        data = b"".join(chunks[number] for number in range(ref.chunks))
        return np.frombuffer(data, "<f4").astype(np.float32)


def play(contest: Contest, codecs: dict[str, CodecSpec]) -> list[Side]:
    """Play the contest once for each codec, with the same agents.

    Raises:
        MissingError: mosquitto is not installed, or a job does not come to its end.
    """
    with _fleet(contest) as fleet:
        sides: list[Side] = []
        for name, codec in codecs.items():
            side = Side(f"selvedge {name}", fleet.client, fleet.server)
            _job(fleet, contest, f"contest-{len(sides)}", codec, side)
            sides.append(side)
        return sides


@contextmanager
def _fleet(contest: Contest) -> Iterator[Fleet]:
    try:
        broker = private_broker.start(engine="mosquitto")
    except UnavailableError as error:
        raise MissingError(str(error)) from None
    with (
        tempfile.TemporaryDirectory(prefix="selvedge-") as place,
        broker,
        WireMeter(broker.address.port, len(contest.fleet.devices)) as meter,
    ):
        folder = Path(place)
        fleet = Fleet(folder, broker, meter, Memory(INFERENCE), Memory())
        listener = _listener(fleet)
        try:
            aggregator = fleet.start("aggregator", broker.url, "--state", "aggregator")
            fleet.server.watch(aggregator, broker.pid)
            _prepare(folder)
            for number, name in enumerate(contest.fleet.devices):
                _keep_samples(folder / name, contest, name)
                url = f"mqtt://127.0.0.1:{meter.ports[number]}"
                words = ("--config", "agent.toml", "--device", name, "--state", name)
                agent = fleet.start("agent", url, *words, log=name)
                if number == 0:
                    fleet.client.watch(agent)
            yield fleet
        finally:
            fleet.client.stop()
            fleet.server.stop()
            listener.loop_stop()
            listener.disconnect()
            end([one.pid for one in fleet.running.values()])


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


def _listener(fleet: Fleet) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "listener")
    client.on_message = fleet.hear
    wanted = [(TOPICS.filter(RoundChannel), 1), (TOPICS.filter(BlobChannel), 1)]

    def subscribe(*_: Any) -> None:
        client.subscribe(wanted)

    client.on_connect = subscribe
    client.connect("127.0.0.1", fleet.broker.address.port)
    client.loop_start()
    return client


def _prepare(folder: Path) -> None:
    """A pipeline to serve: its model is small, and it is asked seldom."""
    known = load_digits().take(np.arange(200))
    network = digits.train(known, np.random.default_rng(1), epochs=1)
    (folder / "digits.tflite").write_bytes(digits.quantize(network, known.images))
    np.save(folder / "images.npy", known.images)
    (folder / "agent.toml").write_text(f"""\
[pipelines.{PIPELINE}]
model = {json.dumps(str(folder / "digits.tflite"))}
source = {{ kind = "replay", path = {json.dumps(str(folder / "images.npy"))}, rate_hz = 0.1 }}
preprocess = {{ kind = "image" }}
postprocess = {{ kind = "classify", labels = {json.dumps([str(n) for n in range(10)])} }}

[pipelines.{PIPELINE}.learning]
jobs = ["contest-*"]
adopt = false
""")


def _keep_samples(state: Path, contest: Contest, name: str) -> None:
    state.mkdir()
    store = SqliteSamples(state / SAMPLES_FILE)
    store.put(PIPELINE, samples_of(contest.fleet.devices[name]), BOUNDS, None)
    store.close()


def _job(fleet: Fleet, contest: Contest, name: str, codec: CodecSpec, side: Side) -> None:
    folder, clients = fleet.folder, len(contest.fleet.devices)
    (folder / "first.f32").write_bytes(contest.first.astype("<f4").tobytes())
    (folder / "simd.wasm").write_bytes(
        to_trainer(contest.network, load("trainer-simd"), "contest", "simd")
    )
    tree = {
        "id": name,
        "rounds": contest.rounds,
        "deadline_s": PATIENCE_S,
        "model": {
            "name": "contest",
            "initial": "first.f32",
            "trainers": {"simd": "simd.wasm"},
            "example_floats": contest.fleet.test.examples.shape[1],
        },
        "local": to_tree(LOCAL),
        "codec": to_tree(codec),
        "participation": {"goal": clients, "quorum": clients},
        "slice_parameters": SLICE_PARAMETERS[codec.name],
    }
    (folder / f"{name}.json").write_text(json.dumps(tree))
    argv = [sys.executable, "-m", "selvedge", "fl", "start", f"{name}.json"]
    argv += ["--broker", fleet.broker.url]
    done = subprocess.run(
        argv, cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise MissingError(f"selvedge fl start: {done.stderr.strip()}")
    _follow(fleet, contest, name, side)


def _follow(fleet: Fleet, contest: Contest, name: str, side: Side) -> None:
    until, numbers = time.monotonic() + PATIENCE_S, set[int]()
    while True:
        try:
            at_s, told, crossed = fleet.told.get(timeout=max(0.1, until - time.monotonic()))
        except queue.Empty:
            last = (fleet.folder / "d0.log").read_text().strip()[-300:]
            raise MissingError(
                f"selvedge {name}: round {max(numbers, default=0)}: {last}"
            ) from None
        if told.job != name or told.state == "closed":
            continue
        if told.state == "open" and told.number in numbers:
            continue
        numbers.add(told.number)
        side.mark(at_s, contest.accuracy(fleet.model(told.model)), crossed)
        if told.state != "open":
            break
    if told.state != "done" or len(side.at_s) != contest.rounds + 1:
        raise MissingError(f"selvedge {name}: {told.state} after {len(side.at_s)} models")
