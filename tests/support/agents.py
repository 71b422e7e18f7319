"""Whole agents as processes, and a client that keeps all that they say."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as mqtt
import psutil
import pytest

from broker.contract.codec import encode_json
from broker.contract.errors import ContractError
from broker.contract.messages import Command, Metrics, ReportedConfig, Result, Status, decode
from broker.contract.topics import (
    CommandChannel,
    DesiredChannel,
    MetricsChannel,
    ReportedChannel,
    ResultsChannel,
    StatusChannel,
    Topics,
)
from tests.support.brokers import TestClient, eventually
from toolchain.digits import Digits, quantize, split, train
from toolchain.digits.adapters import scikit

TOPICS = Topics()
LABELS = [str(digit) for digit in range(10)]
PATIENCE_S = 60.0
"""A busy machine is no fault; only what never comes takes so long."""


@dataclass(frozen=True)
class TrainedDigits:
    """A good int8 model of digits, and what to ask it."""

    model: bytes
    held_out: Digits


@pytest.fixture(scope="session")
def digits() -> TrainedDigits:
    """A model and digits that it never saw, trained once for all tests of a run."""
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(7)
    with threadpool_limits(1):
        known, held_out = split(scikit.load(), rng)
        return TrainedDigits(quantize(train(known, rng), known.images), held_out)


@pytest.fixture
def bench(digits: TrainedDigits, tmp_path: Path) -> "Bench":
    """A folder with the model and its inputs, from which configurations are made."""
    return Bench(digits, tmp_path)


class Bench:
    """Files that agents under test read."""

    def __init__(self, digits: TrainedDigits, folder: Path) -> None:
        self.folder = folder
        self.labels = digits.held_out.labels.tolist()
        self.model = folder / "digits.tflite"
        self.model.write_bytes(digits.model)
        self.images = folder / "images.npy"
        np.save(self.images, digits.held_out.images)

    def pipeline(self, **changes: Any) -> dict[str, Any]:
        """The configuration of a pipeline that classifies digits, with changes at its top."""
        tree: dict[str, Any] = {
            "model": str(self.model),
            "source": {"kind": "replay", "path": str(self.images), "rate_hz": 50.0, "loop": True},
            "preprocess": {"kind": "image"},
            "postprocess": {"kind": "classify", "labels": LABELS},
            "deadline_ms": 2000,
        }
        return tree | changes

    def config(self, pipelines: Mapping[str, Any], **changes: Any) -> Path:
        """A configuration file; TOML is not written by the standard library, so by hand."""
        tree = {"metrics_interval_s": 0.5, "pipelines": dict(pipelines)} | changes
        path = self.folder / f"config-{time.monotonic_ns()}.toml"
        path.write_text("".join(_toml(tree)), encoding="utf-8")
        return path


def _toml(tree: Mapping[str, Any]) -> Iterator[str]:
    for key, value in tree.items():
        yield f"{json.dumps(key)} = {_inline(value)}\n"


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return json.dumps(value)


class RunningAgent:
    """One `selvedge agent`; leaving the context ends it."""

    def __init__(self, config: Path, port: int, device: str = "dev-1", **options: Any) -> None:
        self.device = device
        self.state = Path(options.pop("state", config.parent / f"state-{device}"))
        self.log = config.parent / f"agent-{time.monotonic_ns()}.log"
        environment = os.environ | options.pop("environment", {})
        words = [f"--set={key}={json.dumps(value)}" for key, value in options.items()]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "selvedge", "agent", "--config", str(config)),
                    *("--device", device, "--broker", f"mqtt://127.0.0.1:{port}"),
                    *("--state", str(self.state), *words),
                ],
                stdout=log,
                stderr=log,
                env=environment,
            )

    def children(self) -> list[psutil.Process]:
        """Its pipeline processes."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children()
        return []

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def output(self) -> str:
        """What it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> "RunningAgent":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Fleet:
    """A client that keeps everything that devices publish, in order."""

    def __init__(
        self,
        port: int,
        name: str = "fleet-watch",
        prepare: Callable[[mqtt.Client], object] = lambda _: None,
    ) -> None:
        self.client = TestClient(name, prepare=prepare)
        self.results: dict[tuple[str, str], list[Result]] = {}
        self.metrics: dict[str, list[Metrics]] = {}
        self.statuses: dict[str, list[Status]] = {}
        self.reports: dict[str, list[ReportedConfig]] = {}
        self.commands: dict[tuple[str, str], list[Command]] = {}
        self.broken: list[tuple[str, bytes]] = []
        self.order: list[str] = []
        self.client.paho.on_message = self._take
        self.client.connect(port)
        self.client.subscribe("selvedge/v1/#")

    def _take(self, _: object, __: object, message: Any) -> None:
        try:
            self._sort(TOPICS.channel(message.topic), message.payload)
        except ContractError:
            self.broken.append((message.topic, message.payload))
        self.order.append(message.topic)

    def _sort(self, channel: object, payload: bytes) -> None:
        match channel:
            case ResultsChannel(device, pipeline):
                self.results.setdefault((device, pipeline), []).append(decode(Result, payload))
            case MetricsChannel(device):
                self.metrics.setdefault(device, []).append(decode(Metrics, payload))
            case StatusChannel(device) if payload:
                self.statuses.setdefault(device, []).append(decode(Status, payload))
            case ReportedChannel(device):
                self.reports.setdefault(device, []).append(decode(ReportedConfig, payload))
            case CommandChannel(_, op, command) if payload:
                self.commands.setdefault((op, command), []).append(decode(Command, payload))

    def status(self, device: str = "dev-1") -> Status | None:
        """The last status."""
        return (self.statuses.get(device) or [None])[-1]

    def state(self, pipeline: str, device: str = "dev-1") -> str | None:
        """Where a pipeline stands, as last reported."""
        status = self.status(device)
        known = status.pipelines.get(pipeline) if status else None
        return known.state if known else None

    def count(self, pipeline: str, device: str = "dev-1") -> int:
        """Results so far."""
        return len(self.results.get((device, pipeline), []))

    def gapless(self, pipeline: str, known: set[int], device: str = "dev-1") -> bool:
        """Whether no sequence is missing: live results overtake those that waited."""
        fresh = {result.sequence for result in self.results.get((device, pipeline), [])}
        return fresh | known == set(range(max(fresh) + 1))

    def desire(self, tree: Mapping[str, Any] | bytes, device: str = "dev-1") -> None:
        """Publish a desired configuration."""
        payload = tree if isinstance(tree, bytes) else encode_json(dict(tree))
        self.client.publish(TOPICS.topic(DesiredChannel(device)), payload, retain=True)

    def order_command(
        self, op: str, command: str, args: dict[str, Any] | None = None, device: str = "dev-1"
    ) -> None:
        """Request a command."""
        payload = encode_json({"status": "init"} | ({"args": args} if args else {}))
        self.client.publish(TOPICS.topic(CommandChannel(device, op, command)), payload, retain=True)

    def outcome(self, op: str, command: str, timeout_s: float = PATIENCE_S) -> Command:
        """Wait for the end of a command."""
        key = (op, command)
        done = ("successful", "failed")
        self.wait(
            lambda: bool(self.commands.get(key)) and self.commands[key][-1].status in done,
            timeout_s,
        )
        return self.commands[key][-1]

    def wait(self, condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Wait for a condition, and fail with what was seen last."""
        assert eventually(condition, timeout_s), f"last status: {self.status()}"

    def close(self) -> None:
        """Leave."""
        self.client.disconnect()

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_root() -> bool:
    """Whether mounts can be made."""
    return os.geteuid() == 0 and shutil.which("mount") is not None
