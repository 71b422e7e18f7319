"""A whole agent core in memory: its children, its link and its clock are the test's."""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from agent.channel.messages import Answer, FromChild, Ready, ToChild
from agent.config.layers import Layers
from agent.config.mcus import McuConfig
from agent.control.core import Agent
from agent.control.events import (
    BRIDGE,
    Action,
    ChildEnded,
    ChildSaid,
    Delivered,
    End,
    Event,
    Kill,
    LinkDown,
    LinkUp,
    Log,
    Measure,
    Now,
    Publish,
    Readings,
    Received,
    Remember,
    SetLogLevel,
    Spawn,
    SpawnBridge,
    StartInstaller,
    StartLearner,
    StopInstaller,
    StopLearner,
    Subscribe,
    Tell,
    Tick,
    Unsubscribe,
)
from agent.control.reports import Identity
from agent.control.shadow import Shadow, recall
from agent.control.stores import Stores
from agent.control.supervisor import Limits
from agent.learning.jobs.conditions import Conditions
from agent.learning.jobs.kit import Ports
from agent.learning.learner.request import Request
from agent.outbox.outbox import Outbox
from broker.contract.messages import Latency
from tests.support.fake_blobs import FakeBlobs
from tests.support.fake_jobs import FakeJobs
from tests.support.fake_models import FakeModels
from tests.support.fake_samples import FakeSamples
from tests.support.fake_store import FakeStore

PREFIX = "selvedge/v1"
START_UNIX_MS = 1_750_000_000_000
READINGS = Readings(20_000_000, 1.5, 4096, None, {})
LATENCY = Latency(1, 2, 3, 6)


def pipeline(**more: Any) -> dict[str, Any]:
    """A valid pipeline of a file."""
    return {
        "source": {"kind": "replay", "path": "/data"},
        "model": "/m.tflite",
        "postprocess": {"kind": "classify"},
        **more,
    }


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT's `+` and `#`."""
    wanted, got = topic_filter.split("/"), topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(got) or level not in ("+", got[index]):
            return False
    return len(wanted) == len(got)


@dataclass
class Rig:
    """One agent, and everything that it asked for."""

    tree: dict[str, Any] = field(default_factory=lambda: {"pipelines": {"cam": pipeline()}})
    store: FakeStore = field(default_factory=FakeStore)
    samples: FakeSamples = field(default_factory=FakeSamples)
    blobs: FakeBlobs = field(default_factory=FakeBlobs)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    conditions: Conditions = field(default_factory=Conditions)
    models: FakeModels = field(default_factory=FakeModels)
    device: str = "dev"
    instance: str = "one"
    seed: int = 0
    remembered: Any = None
    now_ms: int = 1_000_000
    unix_ms: int = START_UNIX_MS
    limits: Limits | None = None

    def __post_init__(self) -> None:
        self.published: list[Publish] = []
        self.filters: set[str] = set()
        self.alive: set[str] = set()
        self.told: list[tuple[str, ToChild]] = []
        self.killed: list[str] = []
        self.installs: list[StartInstaller] = []
        self.bridges: list[dict[str, McuConfig]] = []
        self.logs: list[Log] = []
        self.levels: list[str] = []
        self.learners: dict[int, Request] = {}
        self.ended: End | None = None
        self.linked = False
        shadow = Shadow(Layers(self.tree), recall(self.remembered))
        self.outbox = Outbox(self.store, shadow.config.outbox, self.now_ms)
        identity = Identity(
            self.device, self.instance, "1.0", self.now_ms, ("tflite", "wasmtime", "wasm3")
        )
        chance = random.Random(self.seed).random
        ports = Ports(self.jobs, lambda: self.conditions, "/samples.sqlite3")
        stores = Stores(self.samples, self.blobs, ports, self.models)
        self.agent = Agent(identity, shadow, self.outbox, stores, chance, self.limits)
        self.perform(self.agent.begin(self.now()))

    def now(self) -> Now:
        return Now(self.now_ms, self.unix_ms, synced=True)

    def handle(self, event: Event) -> list[Action]:
        """Hand in an event and perform what comes out; return that too."""
        actions = self.agent.handle(event, self.now())
        self.perform(actions)
        return actions

    def perform(self, actions: list[Action]) -> None:  # noqa: C901
        for action in actions:
            match action:
                case Publish():
                    self.published.append(action)
                case Subscribe():
                    self.filters |= set(action.filters)
                case Unsubscribe():
                    self.filters -= set(action.filters)
                case Spawn():
                    assert action.pipeline not in self.alive, "two children of one pipeline"
                    self.alive.add(action.pipeline)
                case StartLearner():
                    assert not self.learners, "two learners"
                    self.learners[action.token] = action.request
                case StopLearner():
                    del self.learners[action.token]
                case SpawnBridge():
                    assert BRIDGE not in self.alive, "two bridges"
                    self.alive.add(BRIDGE)
                    self.bridges.append(dict(action.mcus))
                case StartInstaller():
                    assert not self.installs, "two installers"
                    self.installs.append(action)
                case StopInstaller():
                    [stopped] = self.installs
                    assert stopped.token == action.token
                    self.installs.clear()
                case Tell():
                    self.told.append((action.pipeline, action.message))
                case Kill():
                    self.killed.append(action.pipeline)
                case Remember():
                    self.remembered = json.loads(json.dumps(action.document))
                case SetLogLevel():
                    self.levels.append(action.level)
                case Measure():
                    self.handle(READINGS)
                case Log():
                    assert len(action.text.splitlines()) == 1
                    self.logs.append(action)
                case End():
                    assert self.ended is None, "it ends twice"
                    self.ended = action

    def wait(self, ms: int) -> None:
        """Let time pass as the main loop would: a tick whenever one is due."""
        end_ms = self.now_ms + ms
        turns = 0
        while not self.ended and (due_ms := self.agent.due_ms()) <= end_ms:
            turns = turns + 1 if due_ms <= self.now_ms else 0
            assert turns < 20, f"busy: due at {due_ms}, now {self.now_ms}"
            self.now_ms = max(self.now_ms, due_ms)
            self.handle(Tick())
        self.unix_ms += end_ms - self.now_ms
        self.now_ms = end_ms
        self.handle(Tick())

    def link_up(self) -> list[Action]:
        self.linked, self.filters = True, set()
        return self.handle(LinkUp())

    def link_down(self, *, taken_over: bool = False) -> None:
        self.linked = False
        self.handle(LinkDown("gone", taken_over))

    def send_out(self) -> list[Publish]:
        """What the main loop would now give to the link."""
        sent = [a for a in self.agent.publishable(self.now()) if isinstance(a, Publish)]
        self.published += sent
        return sent

    def acknowledge(self, rows: list[Publish]) -> None:
        for row in rows:
            assert row.row_id is not None
            self.handle(Delivered(row.row_id))

    def receive(self, topic: str, payload: bytes | dict[str, Any]) -> list[Action]:
        if isinstance(payload, dict):
            payload = json.dumps(payload).encode()
        return self.handle(Received(f"{PREFIX}/{topic}", payload))

    def say(self, message: FromChild, name: str = "cam") -> list[Action]:
        return self.handle(ChildSaid(name, message))

    def serve(self, name: str = "cam") -> None:
        self.say(Ready("ready", "sha", "tflite", "the only one", 5.0), name)

    def answer(self, name: str = "cam", **outputs: Any) -> list[Action]:
        return self.say(Answer("answer", self.now_ms * 1_000_000, outputs, LATENCY), name)

    def exit(self, name: str = "cam", cause: str = "crashed") -> None:
        self.alive.remove(name)
        self.handle(ChildEnded(name, cause))

    def last(self, topic: str) -> Any:
        """The last message of a topic of this device, decoded; None if there is none."""
        for message in reversed(self.published):
            if message.topic == f"{PREFIX}/devices/{self.device}/{topic}":
                return json.loads(message.payload)
        return None

    def results(self) -> list[dict[str, Any]]:
        return [json.loads(m.payload) for m in self.published if "/results/" in m.topic]
