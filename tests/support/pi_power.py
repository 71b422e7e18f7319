"""An emulated Pi whose power is cut again and again while results are written.

QEMU holds back what the guest has not flushed: a cut loses it, as a card does. What the broker
acknowledged is overheard on the wire; what was on the disk is read from the disk.
"""

import json
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.adapters import private_broker
from broker.adapters.tcp_proxy import TcpProxy
from broker.contract.messages import Result
from deploy.emulator.image import Base
from deploy.emulator.machine import HOST, Machine
from deploy.package.commands import run
from tests.support.agents import LABELS
from tests.support.mqtt_ear import Key, MqttEar
from tests.support.pi_chain import DEVICE, PATIENCE_S, Log, Watch, toml
from tests.support.pi_machine import CACHE, MODELS, prepare

PIPELINE = "digits"
RATE_HZ = 20.0
SERVING = 10
"""Results after a boot that make it a serving machine."""
STATE = "/var/lib/private/selvedge"


@dataclass
class Outcome:
    """What the cuts left."""

    cuts: int = 0
    results: int = 0
    acknowledged: int = 0
    stored: int = 0
    came_again: int = 0
    boots_s: list[float] = field(default_factory=list)
    lost_acknowledged: set[Key] = field(default_factory=set)
    lost_stored: set[Key] = field(default_factory=set)
    two_under_one_number: set[Key] = field(default_factory=set)
    damage: list[str] = field(default_factory=list)

    def line(self, seed: int) -> str:
        """For the report of a campaign."""
        return (
            f"seed {seed}: {self.cuts} cuts, {self.results} results, {self.acknowledged}"
            f" acknowledged, {self.stored} found on the disk, {self.came_again} came again; lost:"
            f" {len(self.lost_acknowledged)} acknowledged, {len(self.lost_stored)} stored;"
            f" {len(self.two_under_one_number)} numbers were used twice; damage:"
            f" {self.damage or 'none'}; from power on to results"
            f" {min(self.boots_s):.0f} to {max(self.boots_s):.0f} s"
        )


def cut_again_and_again(
    base: Base, disk: Path, models: dict[str, Path], folder: Path, *, cuts: int, seed: int
) -> Outcome:
    """Boot, serve, cut, look at the disk; and once more at the end, to hear what was kept."""
    rng, ear, outcome = random.Random(seed), MqttEar(), Outcome()
    log = Log(CACHE / "power.log")
    with (
        private_broker.start(engine="mosquitto") as broker,
        TcpProxy(broker.address.port, overhear=ear.hear) as cable,
        Watch(broker.address.port) as watch,
    ):
        prepare(base, disk, models, configuration(f"mqtt://{HOST}:{cable.port}"))
        stored: set[Key] = set()
        for _ in range(cuts):
            last = instance(watch)
            with Machine(base, disk) as pi:
                outcome.boots_s.append(serves(watch, last))
                if rng.random() < 0.5:  # a broker that is away fills the outbox
                    cable.cut()
                    cable.allow(False)
                time.sleep(rng.uniform(0.0, 6.0))
                pi.cut()
            cable.cut()
            cable.allow(True)
            outcome.cuts += 1
            waiting = _inspect(disk, folder / f"cut-{outcome.cuts}", outcome)
            stored |= waiting
            words = f"{len(ear.acknowledged)} acknowledged, {len(waiting)} waited on the disk"
            log.note(f"cut {outcome.cuts}", words)
        last = instance(watch)
        with Machine(base, disk):
            outcome.boots_s.append(serves(watch, last))
            _until(lambda: stored <= _keys(watch.of(PIPELINE)), 60)
        seen = watch.of(PIPELINE)
    _judge(outcome, seen, ear, stored)
    return outcome


def configuration(url: str, deadline_ms: int = 120_000) -> str:
    """One pipeline that never stops, and an outbox that writes often."""
    pipeline = {
        "model": f"{MODELS}/digits.tflite",
        "source": {
            "kind": "replay",
            "path": f"{MODELS}/images.npy",
            "rate_hz": RATE_HZ,
            "loop": True,
        },
        "preprocess": {"kind": "image"},
        "postprocess": {"kind": "classify", "labels": LABELS},
        "deadline_ms": deadline_ms,
    }
    broker = {"url": url, "protocol": "3.1.1"}  # which the ear on the wire understands
    tree = {
        "device_id": DEVICE,
        "broker": broker,
        "metrics_interval_s": 2.0,
        "outbox": {"commit_interval_ms": 300},
        "pipelines": {PIPELINE: pipeline},
    }
    return "".join(f"{key} = {toml(value)}\n" for key, value in tree.items())


def serves(watch: Watch, last: str | None) -> float:
    """Seconds until an agent that is not the `last` one gives fresh results."""
    began = time.monotonic()
    start = 0

    def is_serving() -> bool:
        nonlocal start
        if instance(watch) in (last, None):
            start = len(watch.of(PIPELINE))
            return False
        return sum(not one.late for one in watch.of(PIPELINE)[start:]) >= SERVING

    watch.wait(is_serving, PATIENCE_S)
    return time.monotonic() - began


def instance(watch: Watch) -> str | None:
    """The start of the agent that was online last."""
    online = [one for one in watch.statuses.get(DEVICE, []) if one.state == "online"]
    return online[-1].instance if online else None


def _inspect(disk: Path, folder: Path, outcome: Outcome) -> set[Key]:
    """Check the file system and the store of a cut disk; returns what waits in the store."""
    folder.mkdir()
    raw = folder / "disk.raw"
    run(["qemu-img", "convert", "-O", "raw", str(disk), str(raw)])
    # The journal is played as the next boot will play it; then nothing may be left to mend.
    run(["e2fsck", "-E", "journal_only", "-p", str(raw)])
    checked = subprocess.run(
        ["e2fsck", "-f", "-n", str(raw)], check=False, capture_output=True, text=True
    )
    if checked.returncode:
        outcome.damage.append(f"file system: {checked.stdout.strip()[-300:]}")
    run(["debugfs", "-R", f"rdump {STATE} {folder}", str(raw)])
    raw.unlink()
    state = folder / Path(STATE).name
    database = sqlite3.connect(state / "outbox.sqlite3")
    told = database.execute("PRAGMA integrity_check").fetchone()[0]
    if told != "ok":
        outcome.damage.append(f"outbox: {told}")
    rows = database.execute("SELECT pipeline, payload FROM rows").fetchall()
    database.close()
    return {(DEVICE, pipeline, json.loads(payload)["sequence"]) for pipeline, payload in rows}


def _judge(outcome: Outcome, seen: list[Result], ear: MqttEar, stored: set[Key]) -> None:
    answers: dict[Key, set[str]] = {}
    for one in seen:
        what = f"{one.monotonic_ms} {one.time_ms} {one.input} {one.outputs}"
        answers.setdefault((DEVICE, PIPELINE, one.sequence), set()).add(what)
    outcome.results = len(answers)
    outcome.came_again = len(seen) - len(answers)
    outcome.acknowledged = len(ear.acknowledged)
    outcome.stored = len(stored)
    outcome.lost_acknowledged = ear.acknowledged - set(answers)
    outcome.lost_stored = stored - set(answers)
    outcome.two_under_one_number = {key for key, each in answers.items() if len(each) > 1}


def _keys(results: list[Any]) -> set[Key]:
    return {(DEVICE, PIPELINE, one.sequence) for one in results}


def _until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)
