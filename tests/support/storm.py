"""The storm: agents produce results while brokers and agents are killed; what must hold is checked.

The log is a subscriber of QoS 0: a broker then hands a result to the log's socket before it
acknowledges it, so that what a killed broker held back for the log cannot be mistaken for a loss
of the agent's. What was acknowledged is overheard on the wire.
"""

import random
import shutil
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from broker.adapters import private_broker
from broker.adapters.tcp_proxy import TcpProxy
from tests.support.agents import Bench, RunningAgent
from tests.support.mqtt_ear import Key, MqttEar

PIPELINE = "digits"


class Log:
    """Every result that came, by device, pipeline and sequence."""

    def __init__(self) -> None:
        self.seen: dict[Key, int] = {}
        self._client: mqtt.Client | None = None

    def connect(self, port: int) -> None:
        """Listen, and return once the broker knows."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, "log", reconnect_on_failure=False)
        ready: list[object] = []
        client.on_subscribe = lambda *_: ready.append(1)
        client.on_message = self._take
        client.connect("127.0.0.1", port)
        client.loop_start()
        client.subscribe("selvedge/v1/devices/+/results/+", qos=0)
        deadline = time.monotonic() + 10
        while not ready:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        self._client = client

    def close(self) -> None:
        """Read what the socket still holds, and leave."""
        assert self._client is not None
        time.sleep(0.2)
        self._client.loop_stop()
        self._client.disconnect()

    def _take(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        _, _, _, device, _, pipeline = message.topic.split("/")
        start = message.payload.index(b'"sequence":') + 11
        key = (device, pipeline, int(message.payload[start : message.payload.index(b",", start)]))
        self.seen[key] = self.seen.get(key, 0) + 1


@dataclass
class Outcome:
    """What the storm left."""

    results: int
    acknowledged: int
    duplicates: int
    stored_at_kills: int
    sent_in_vain: int
    lost_acknowledged: set[Key] = field(default_factory=set)
    lost_stored: set[Key] = field(default_factory=set)

    def line(self, seed: int, seconds: float) -> str:
        """For the report of a campaign."""
        return (
            f"seed {seed}: {self.results} results in {seconds:.0f} s, {self.acknowledged}"
            f" acknowledged, {self.duplicates} came again, {self.stored_at_kills} were on disk at"
            f" the kills; lost: {len(self.lost_acknowledged)} acknowledged,"
            f" {len(self.lost_stored)} stored; {self.sent_in_vain} were sent, but neither"
            " acknowledged nor seen"
        )


def storm(
    bench: Bench,
    *,
    results: int,
    broker_kills: int,
    agent_kills: int,
    seed: int,
    agents: int = 3,
    rate_hz: float = 1000.0,
) -> Outcome:
    """Play one storm."""
    rng = random.Random(seed)
    ear, log = MqttEar(), Log()
    source = {"kind": "replay", "path": str(bench.images), "rate_hz": rate_hz, "loop": True}
    config = bench.config(
        {PIPELINE: bench.pipeline(source=source, deadline_ms=20_000)},
        broker={"protocol": "3.1.1"},
        outbox={"commit_interval_ms": 300, "limit_bytes": 2**30, "window": 500},
    )
    stored: set[Key] = set()
    faults = ["broker"] * broker_kills + ["agent"] * agent_kills
    rng.shuffle(faults)
    marks = sorted(rng.randrange(results // 20, results * 9 // 10) for _ in faults)
    broker = private_broker.start(engine="mosquitto")
    with TcpProxy(broker.address.port, overhear=ear.hear) as cable:
        log.connect(broker.address.port)
        running = [RunningAgent(config, cable.port, f"dev-{n}") for n in range(agents)]
        try:
            for mark, fault in zip(marks, faults, strict=True):
                _wait(log, mark)
                if fault == "broker":
                    broker.kill()
                    cable.cut()
                    cable.allow(False)
                    log.close()
                    time.sleep(rng.uniform(0.2, 2.0))
                    broker = private_broker.start(broker.address, "mosquitto")
                    log.connect(broker.address.port)
                    cable.allow(True)
                else:
                    victim = rng.randrange(agents)
                    device, state = running[victim].device, running[victim].state
                    running[victim].kill()
                    stored |= _stored(device, state, bench.folder)
                    running[victim] = RunningAgent(config, cable.port, device)
            _wait(log, results)
            for agent in running:
                assert agent.stop() == 0
            for agent in running:
                stored |= _stored(agent.device, agent.state, bench.folder)
            # What the last stop left on disk goes out with the next start.
            running = [RunningAgent(config, cable.port, agent.device) for agent in running]
            _settle(log, stored)
        finally:
            for agent in running:
                agent.__exit__()
            log.close()
            broker.stop()
    return _judge(log, ear, stored)


def _judge(log: Log, ear: MqttEar, stored: set[Key]) -> Outcome:
    seen = set(log.seen)
    return Outcome(
        results=len(seen),
        acknowledged=len(ear.acknowledged),
        duplicates=sum(log.seen.values()) - len(seen),
        stored_at_kills=len(stored),
        sent_in_vain=len(ear.sent - seen),
        lost_acknowledged=ear.acknowledged - seen,
        lost_stored=stored - seen,
    )


def _wait(log: Log, count: int) -> None:
    deadline = time.monotonic() + 240
    while len(log.seen) < count:
        assert time.monotonic() < deadline, f"only {len(log.seen)} of {count} results came"
        time.sleep(0.005)


def _settle(log: Log, stored: set[Key]) -> None:
    deadline = time.monotonic() + 60
    while stored - set(log.seen) and time.monotonic() < deadline:
        time.sleep(0.1)


def _stored(device: str, state: Path, scratch: Path) -> set[Key]:
    """What is on disk, read from a copy, as the next start of the agent will find it."""
    copy = scratch / f"copy-{time.monotonic_ns()}"
    shutil.copytree(state, copy)
    db = sqlite3.connect(copy / "outbox.sqlite3")
    rows: list[Any] = db.execute("SELECT pipeline, payload FROM rows").fetchall()
    db.close()
    keys = set()
    for pipeline, payload in rows:
        start = payload.index(b'"sequence":') + 11
        keys.add((device, pipeline, int(payload[start : payload.index(b",", start)])))
    return keys
