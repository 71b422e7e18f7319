"""Real agents, a real aggregator, a real broker: jobs are learned, whatever is killed meanwhile."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from agent.learning.jobs.job import UNTOLD
from agent.learning.samples.adapters.sqlite_samples import SAMPLES_FILE, SqliteSamples
from broker.adapters.private_broker import RunningBroker
from broker.adapters.tcp_proxy import TcpProxy
from broker.contract.federated.round import JobStatus
from tests.support.agents import Bench, RunningAgent
from tests.support.aggregator_rig import Process
from tests.support.federation import (
    PARAMETERS,
    Learner,
    Watch,
    accuracy,
    digits,
    job,
    samples_of,
)
from tests.support.trainers import module_of
from toolchain.training import network as n

KNOWN, JUDGES = digits()
EACH = 150
SLOW = {"epochs": 1000, "batch": 1, "learning_rate": 1e-4, "max_steps": 10**7}
"""Training that is still under way when it is looked at."""

NOISY = {"mode": "local", "clip_norm": 5.0, "noise_multiplier": 0.01}
"""With noise of its own, every update of a device is another one."""

PATIENCE_S = 180.0


def learner(folder: Path, place: int, **learning: Any) -> Learner:
    """A device with digits of its own."""
    mine = np.arange(place * EACH, (place + 1) * EACH)
    return Learner(folder, f"pi-{place}", samples_of(KNOWN, mine), **learning)


@contextmanager
def world(broker: RunningBroker, folder: Path) -> Iterator[Watch]:
    """An aggregator, and a client that watches."""
    aggregator = Process(broker.url, folder / "aggregator")
    try:
        with Watch(broker.address.port) as watch:
            yield watch
    finally:
        assert aggregator.stop() == 0


def finished(watch: Watch) -> JobStatus:
    """The job's last word."""
    watch.wait(watch.is_over, PATIENCE_S)
    return watch.jobs[-1]


def mapped(agent: RunningAgent) -> str:
    """Every file that an agent's main process has mapped."""
    return Path(f"/proc/{agent.process.pid}/maps").read_text()


def test_three_devices_learn_digits_together(broker: RunningBroker, tmp_path: Path) -> None:
    port, rounds = broker.address.port, 3 if broker.engine == "mosquitto" else 2
    with world(broker, tmp_path) as watch:
        few = Learner(tmp_path, "few", samples_of(KNOWN, np.arange(900, 905)))
        agents = [one.start(port) for one in (few, *(learner(tmp_path, n) for n in range(3)))]
        watch.start_job(job(rounds=rounds))
        status = finished(watch)
        watch.wait(lambda: watch.stands("pi-0", "idle"))
        assert all("numpy" not in mapped(agent) for agent in agents)
        for agent in agents:
            assert agent.stop() == 0, agent.output()
        assert [report.updates for report in status.history] == [3] * rounds
        assert accuracy(watch.blob(status.model), JUDGES) > 0.85
        judged = status.judged
        assert judged.devices == 3
        assert judged.accuracy > 0.6 > judged.baseline_accuracy
        assert judged.loss < 1.0 < judged.baseline_loss
        assert not watch.broken
        assert {device for _, device, _, _ in watch.slices} == {"pi-0", "pi-1", "pi-2"}
        reasons = {one.learning["digits"].reason for one in watch.statuses["few"] if one.learning}
        assert "has fewer than 10 examples" in reasons
        metrics = watch.metrics["pi-1"][-1].learning
        assert (metrics.updates, metrics.failures) == (rounds, 0)
        sent = [payload for _, device, _, payload in watch.slices if device == "pi-1"]
        assert metrics.sent_bytes == sum(map(len, sent))
        assert not (tmp_path / "state-pi-1" / "jobs" / "digits").exists()


def test_agents_that_are_killed_go_on_in_the_same_round(
    mosquitto: RunningBroker, tmp_path: Path
) -> None:
    port = mosquitto.address.port
    with world(mosquitto, tmp_path) as watch, ExitStack() as stack:
        devices = [learner(tmp_path, place) for place in range(3)]
        agents = [stack.enter_context(one.start(port)) for one in devices]
        slow = job(rounds=2, slice_parameters=1, privacy=NOISY, evaluation={})
        watch.start_job(slow | {"local": {"epochs": 300, "batch": 2, "learning_rate": 0.01}})
        watch.wait(lambda: watch.stands("pi-1", "training"), PATIENCE_S)
        agents[1].kill()
        assert not watch.sent("pi-1", 1)
        watch.wait(lambda: len(watch.sent("pi-0", 1)) > 20, PATIENCE_S)
        agents[0].kill()
        on_its_way = len(watch.sent("pi-0", 1))
        assert on_its_way < PARAMETERS
        kept = {path.name for path in (devices[0].state / "jobs").rglob("*") if path.is_file()}
        assert {"report.json", "0", str(PARAMETERS - 1)} <= kept
        for place in (0, 1):
            stack.enter_context(devices[place].start(port))
        status = finished(watch)
        assert [(report.number, report.updates) for report in status.history] == [(1, 3), (2, 3)]
        for device in ("pi-0", "pi-1"):
            sent = watch.sent(device, 1)
            assert sorted(sent) == list(range(PARAMETERS))
            assert all(len(found) == 1 for found in sent.values()), "another update than before"
        counted = [device for number, device, ack in watch.acks if number == 1 and ack.counted]
        assert set(counted) == {"pi-0", "pi-1", "pi-2"}
        assert [report.examples for report in status.history] == [3, 3], "each counts once"


def test_a_device_without_a_link_goes_on_when_it_is_back(
    mosquitto: RunningBroker, tmp_path: Path
) -> None:
    with (
        world(mosquitto, tmp_path) as watch,
        TcpProxy(mosquitto.address.port) as proxy,
        learner(tmp_path, 0).start(proxy.port) as agent,
    ):
        local = {"epochs": 40, "batch": 1, "learning_rate": 0.01}
        watch.start_job(job(devices=1, rounds=2) | {"local": local})
        watch.wait(lambda: watch.stands("pi-0", "training"), PATIENCE_S)
        proxy.allow(False)
        proxy.cut()
        folder = tmp_path / "state-pi-0" / "jobs"
        watch.wait(lambda: any(folder.rglob("report.json")), PATIENCE_S)
        assert not watch.slices
        proxy.allow(True)
        status = finished(watch)
        assert [report.updates for report in status.history] == [1, 1]
        assert agent.stop() == 0


def test_a_download_goes_on_after_a_kill(mosquitto: RunningBroker, tmp_path: Path) -> None:
    data = random.Random(3).randbytes(6_000_000)
    with world(mosquitto, tmp_path) as watch:
        device = learner(tmp_path, 0)
        agent = device.start(mosquitto.address.port)
        watch.files["large.bin"] = data
        tree = job(devices=1)
        tree["model"]["backbone"] = "large.bin"
        spec = watch.start_job(tree)
        assert spec.model.backbone is not None
        name = spec.model.backbone.sha256
        have = device.state / "blobs" / f"{name}.have"

        def chunks() -> int:
            return have.stat().st_size // 4 if have.exists() else 0

        ends = time.monotonic() + PATIENCE_S
        while chunks() < 20:  # at once, or all of it is there
            assert agent.process.poll() is None, agent.output()
            assert time.monotonic() < ends, agent.output()
        agent.kill()
        before = chunks()
        assert before < spec.model.backbone.chunks, "it was too quick; take a larger file"
        with device.start(mosquitto.address.port) as again:
            whole = device.state / "blobs" / name
            watch.wait(whole.exists, PATIENCE_S)
            assert whole.read_bytes() == data
            # A file that is no model: the learner says so, to the log only.
            watch.wait(lambda: watch.why("pi-0") == UNTOLD, PATIENCE_S)
            assert "backbone" in again.output() or "model" in again.output()
            watch.wait(lambda: watch.metrics["pi-0"][-1].learning.failures > 0, PATIENCE_S)
            told = watch.metrics["pi-0"][-1]
            assert told.rejected == 0
            little = sum(map(len, watch.files.values())) - len(data)
            assert told.learning.fetched_bytes <= len(data) - 64_000 * before + little


def children(agent: RunningAgent) -> list[psutil.Process]:
    """All processes below an agent."""
    return psutil.Process(agent.process.pid).children(recursive=True)


def test_forgetting_ends_a_learner_and_its_update(mosquitto: RunningBroker, tmp_path: Path) -> None:
    with (
        world(mosquitto, tmp_path) as watch,
        learner(tmp_path, 0).start(mosquitto.address.port) as agent,
    ):
        watch.start_job(job(devices=1) | {"local": SLOW})
        watch.wait(lambda: len(children(agent)) >= 2, PATIENCE_S)
        all_of_it = children(agent)
        scores = [Path(f"/proc/{one.pid}/oom_score_adj").read_text() for one in all_of_it]
        assert {
            (score.strip(), one.nice()) for score, one in zip(scores, all_of_it, strict=True)
        } == {("900", 10)}, (
            "a device that runs out of memory or time loses a training, not its results"
        )
        watch.order_command("forget", "1", {"pipeline": "digits"}, "pi-0")
        assert watch.outcome("forget", "1", PATIENCE_S).status == "successful"
        gone, alive = psutil.wait_procs(all_of_it, 10)
        assert not alive, gone
        store = SqliteSamples(tmp_path / "state-pi-0" / SAMPLES_FILE)
        assert store.load("digits") == []
        store.close()
        watch.wait(lambda: watch.why("pi-0") == "has fewer than 10 examples", PATIENCE_S)
        assert not children(agent)
        assert not watch.slices
        assert not any((tmp_path / "state-pi-0" / "jobs").rglob("*/*/*"))


def test_one_device_serves_two_jobs_in_turn(
    mosquitto: RunningBroker, tmp_path: Path, bench: Bench
) -> None:
    """A head behind a backbone that keeps residuals, and SCAFFOLD, whose control is kept."""
    most = 0
    with (
        world(mosquitto, tmp_path) as watch,
        learner(tmp_path, 0, jobs=["*"], runtime="wasm3").start(mosquitto.address.port) as agent,
    ):
        local = {"epochs": 5, "batch": 4, "learning_rate": 0.1}
        watch.files |= {
            "digits.tflite": bench.model.read_bytes(),
            "small.f32": bytes(4 * 110),
            "small.wasm": module_of(n.Network((10,), (n.Dense(10),), batch=32), "scalar"),
        }
        one, two = (job(devices=1, rounds=2) | {"id": name} for name in ("one", "two"))
        small = {"initial": "small.f32", "trainers": {"scalar": "small.wasm"}}
        one["model"] |= small | {"example_floats": 10, "backbone": "digits.tflite"}
        one["codec"] = {"name": "top_k", "options": {"fraction": 0.5}}
        two |= {
            "local": local,
            "evaluation": {},
            "strategy": {"name": "scaffold", "options": {"devices": 1}},
        }
        for tree in (one, two):
            watch.start_job(tree)

        def both_are_done() -> bool:
            nonlocal most
            most = max(most, len(psutil.Process(agent.process.pid).children()))
            done = {name for name, told in watch.by_job.items() if told.state == "done"}
            return done == {"one", "two"}

        watch.wait(both_are_done, PATIENCE_S)
        assert most == 1
        judged = watch.by_job["one"].judged
        assert judged.loss < judged.baseline_loss - 0.1, "features tell digits apart"
        assert agent.stop() == 0
        metrics = watch.metrics["pi-0"][-1].learning
        assert (metrics.updates, metrics.failures) == (4, 0), agent.output()
