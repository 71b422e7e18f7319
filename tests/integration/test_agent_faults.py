"""Children that hang, crash or refuse; a disk that is full; a folder that cannot be written."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from broker.adapters.private_broker import RunningBroker
from broker.adapters.tcp_proxy import TcpProxy
from broker.contract.messages import PipelineStatus
from tests.support.agents import Bench, Fleet, RunningAgent, is_root


def named(agent: RunningAgent, fleet: Fleet, name: str, others: set[int]) -> psutil.Process:
    """The child that appeared since `others` were there."""
    fleet.wait(lambda: fleet.state(name) == "running")
    return next(child for child in agent.children() if child.pid not in others)


def longest_gap_s(fleet: Fleet, pipeline: str) -> float:
    """The longest time between two inputs that were answered."""
    times = [result.monotonic_ms for result in fleet.results["dev-1", pipeline]]
    return max(b - a for a, b in itertools.pairwise(times)) / 1000


def told(fleet: Fleet, pipeline: str) -> list[PipelineStatus]:
    """What was ever said of a pipeline: a state may pass between two looks."""
    every = (status.pipelines.get(pipeline) for status in fleet.statuses["dev-1"])
    return [one for one in every if one is not None]


def test_a_stuck_child_is_replaced_and_its_neighbour_goes_on(
    mosquitto: RunningBroker, bench: Bench
) -> None:
    port = mosquitto.address.port
    config = bench.config({"good": bench.pipeline()})
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("good") >= 3)
        good = {child.pid for child in agent.children()}
        fleet.desire({"pipelines": {"bad": bench.pipeline(deadline_ms=800)}})
        stuck = named(agent, fleet, "bad", good)
        stuck.send_signal(signal.SIGSTOP)
        fleet.wait(lambda: any(one.state == "backoff" for one in told(fleet, "bad")))
        assert any(
            "stuck: no progress for 800 ms" in (one.reason or "") for one in told(fleet, "bad")
        )
        fleet.wait(lambda: fleet.state("bad") == "running")
        assert not stuck.is_running() or stuck.status() == psutil.STATUS_ZOMBIE
        assert named(agent, fleet, "bad", good).pid != stuck.pid
        assert longest_gap_s(fleet, "good") < 1.0
        fleet.wait(lambda: fleet.metrics["dev-1"][-1].pipelines["bad"].restarts == 1)


def test_a_crashing_child_fails_with_its_reason_and_can_be_restarted(
    mosquitto: RunningBroker, bench: Bench
) -> None:
    port = mosquitto.address.port
    config = bench.config({"good": bench.pipeline()})
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("good") >= 3)
        good = {child.pid for child in agent.children()}
        fleet.desire({"pipelines": {"bad": bench.pipeline()}})
        deadline = time.monotonic() + 60
        while fleet.state("bad") != "failed" and time.monotonic() < deadline:
            for child in agent.children():
                if child.pid not in good:
                    child.kill()
            time.sleep(0.05)
        reason = fleet.status().pipelines["bad"].reason or ""
        assert "SIGKILL" in reason
        assert "5 times" in reason
        fleet.order_command("restart", "again", {"pipeline": "bad"})
        fleet.wait(lambda: fleet.state("bad") == "running")
        assert longest_gap_s(fleet, "good") < 1.0
        assert good <= {child.pid for child in agent.children()}


BAD_MODELS = {
    "missing": (None, "missing"),
    "empty": (b"", "empty"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(100), "png"),
    "truncated": (b"", "truncated"),
}


@pytest.mark.parametrize("kind", sorted(BAD_MODELS))
def test_a_bad_model_is_refused_in_one_line(
    mosquitto: RunningBroker, bench: Bench, kind: str
) -> None:
    content, name = BAD_MODELS[kind]
    path = bench.folder / f"{name}.tflite"
    if kind == "truncated":
        content = bench.model.read_bytes()[:2000]
    if content is not None:
        path.write_bytes(content)
    port = mosquitto.address.port
    config = bench.config({"good": bench.pipeline(), "bad": bench.pipeline(model=str(path))})
    with Fleet(port) as fleet, RunningAgent(config, port):
        fleet.wait(lambda: fleet.state("bad") == "failed" and fleet.count("good") > 3)
        reason = fleet.status().pipelines["bad"].reason or ""
        assert str(path) in reason
        assert "\n" not in reason


def test_an_input_that_does_not_fit_the_model_is_refused(
    mosquitto: RunningBroker, bench: Bench
) -> None:
    import numpy as np

    wrong = bench.folder / "wrong.npy"
    np.save(wrong, np.zeros((4, 7, 9, 2), np.uint8))
    port = mosquitto.address.port
    source = {"kind": "replay", "path": str(wrong)}
    pipelines = {
        "image": bench.pipeline(source=source),
        "tensor": bench.pipeline(source=source, preprocess={"kind": "tensor"}),
        "labels": bench.pipeline(postprocess={"kind": "classify", "labels": ["a", "b"]}),
    }
    with Fleet(port) as fleet, RunningAgent(bench.config(pipelines), port):
        fleet.wait(lambda: all(fleet.state(name) == "failed" for name in pipelines))
        for pipeline in fleet.status().pipelines.values():
            assert pipeline.reason
            assert "\n" not in pipeline.reason


def test_an_input_that_goes_away_is_waited_for(mosquitto: RunningBroker, bench: Bench) -> None:
    source = {"kind": "serial", "port": str(bench.folder / "tty")}
    wanted = bench.pipeline(source=source, preprocess={"kind": "vector", "window": 8})
    port = mosquitto.address.port
    with Fleet(port) as fleet, RunningAgent(bench.config({"line": wanted}), port) as agent:
        fleet.wait(lambda: fleet.state("line") == "running")
        child = agent.children()[0].pid
        fleet.wait(lambda: "waiting: " in (fleet.status().pipelines["line"].source or ""))
        for _ in range(2):
            ours, theirs = os.openpty()
            link = bench.folder / "tty"
            link.unlink(missing_ok=True)
            link.symlink_to(os.ttyname(theirs))
            before = fleet.count("line")
            deadline = time.monotonic() + 25
            while fleet.count("line") <= before and time.monotonic() < deadline:
                os.write(ours, (",".join(["0.5"] * 8) + "\n").encode())
                time.sleep(0.05)
            assert fleet.count("line") > before
            os.close(ours)
            os.close(theirs)
            fleet.wait(lambda: "waiting: " in (fleet.status().pipelines["line"].source or ""))
        assert agent.children()[0].pid == child


def run_agent(*words: str) -> tuple[int, str]:
    """Run an agent that must refuse to start."""
    done = subprocess.run(
        [sys.executable, "-m", "selvedge", "agent", *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("log_levl = 'info'", 3, ["log_levl", "did you mean log_level?"]),
        ("metrics_interval_s = 'often'", 3, ["metrics_interval_s", "must be a number"]),
        ("metrics_interval_s = -1", 3, ["metrics_interval_s", "at least 0.1"]),
        ("pipelines = 7", 3, ["pipelines", "must be an object"]),
        ("[pipelines.a]\nmodel = 'x'", 3, ["pipelines.a.source", "is missing"]),
        ("[broker]\nurl = 'http://x'", 3, ["broker.url", "mqtt://host"]),
        ("[broker]\nurl = 'mqtt://x:99999'", 3, ["broker.url", "99999"]),
        ("[broker]\ncert = '/nonexistent'", 3, ["cert and key must be given together"]),
        ("[broker]\nurl = 'mqtts://x'\nca = '/nonexistent'", 3, ["certificates"]),
        ("device_id = '#'", 3, ["device_id"]),
        ("not toml at all", 3, ["is not TOML"]),
        ("x = '\udcff'", 3, ["is not UTF-8"]),
    ],
)
def test_a_bad_configuration_is_refused(
    tmp_path: Path, text: str, code: int, words: list[str]
) -> None:
    config = tmp_path / "agent.toml"
    config.write_bytes(text.encode("utf-8", "surrogateescape"))
    got, line = run_agent("--config", str(config), "--state", str(tmp_path / "state"))
    assert got == code
    for word in words:
        assert word in line


def test_a_missing_file_or_word_is_refused(tmp_path: Path) -> None:
    code, line = run_agent("--config", str(tmp_path / "none.toml"))
    assert code == 3
    assert "none.toml" in line
    code, line = run_agent("--set", "log_level", "--state", str(tmp_path))
    assert code == 3
    assert "key.key=value" in line


def test_a_state_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, line = run_agent("--state", str(tmp_path / "file" / "state"))
    assert code == 3
    assert "state_dir" in line


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    if not is_root():
        tmp_path.chmod(0o500)
        yield tmp_path
        tmp_path.chmod(0o700)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", str(tmp_path)], check=True)
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_read_only_state_folder_is_refused(read_only: Path) -> None:
    code, line = run_agent("--state", str(read_only))
    assert code == 3
    assert str(read_only) in line


def test_two_agents_do_not_share_a_state_folder(mosquitto: RunningBroker, bench: Bench) -> None:
    port = mosquitto.address.port
    config = bench.config({})
    with Fleet(port) as fleet, RunningAgent(config, port):
        fleet.wait(lambda: fleet.status() is not None)
        code, line = run_agent(
            "--config", str(config), "--state", str(bench.folder / "state-dev-1")
        )
        assert code == 3
        assert "another agent uses this state folder" in line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte; only root can make one."""
    if not is_root():
        pytest.skip("needs root, to mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_costs_the_oldest_unimportant_results(
    mosquitto: RunningBroker, bench: Bench, small_disk: Path
) -> None:
    fast = {"kind": "replay", "path": str(bench.images), "rate_hz": 900.0, "loop": True}
    pipelines = {
        "dear": bench.pipeline(priority=9),
        "cheap": bench.pipeline(priority=1, source=fast),
    }
    config = bench.config(pipelines, outbox={"commit_interval_ms": 200, "limit_bytes": 2**30})
    with (
        TcpProxy(mosquitto.address.port) as cable,
        Fleet(mosquitto.address.port) as fleet,
        RunningAgent(config, cable.port, state=small_disk / "state") as agent,
    ):
        fleet.wait(lambda: fleet.count("dear") >= 5 and fleet.count("cheap") >= 5)
        cable.allow(False)
        cable.cut()
        time.sleep(8)
        assert agent.process.poll() is None
        told = len(fleet.metrics.get("dev-1", []))
        cable.allow(True)
        # After eight seconds without a broker the next attempt may be half a minute away.
        fleet.wait(lambda: len(fleet.metrics.get("dev-1", [])) > told + 1, 90)
        fleet.wait(lambda: fleet.metrics["dev-1"][-1].outbox.rows < 100, 60)
        assert fleet.metrics["dev-1"][-1].outbox.dropped > 0
        assert len(agent.children()) == 2
        dear = sorted({result.sequence for result in fleet.results["dev-1", "dear"]})
        assert dear == list(range(dear[-1] + 1))
        cheap = {result.sequence for result in fleet.results["dev-1", "cheap"]}
        assert len(cheap) < max(cheap) + 1
        fleet.wait(lambda: fleet.metrics["dev-1"][-1].outbox.healthy)


def test_the_service_manager_hears_of_readiness_and_progress(
    mosquitto: RunningBroker, bench: Bench
) -> None:
    path = bench.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"}
        config = bench.config({"digits": bench.pipeline()})
        with RunningAgent(config, mosquitto.address.port, environment=environment) as agent:
            assert manager.recv(100) == b"READY=1"
            assert {manager.recv(100) for _ in range(5)} == {b"WATCHDOG=1"}
            agent.process.send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            manager.settimeout(0.01)
            while True:
                try:
                    manager.recv(100)
                except TimeoutError:
                    break
            manager.settimeout(1.0)
            with pytest.raises(TimeoutError):
                manager.recv(100)
            agent.process.send_signal(signal.SIGCONT)
            manager.settimeout(5)
            assert manager.recv(100) == b"WATCHDOG=1"
            agent.stop()
            said = [manager.recv(100)]
            while said[-1] != b"STOPPING=1":
                said.append(manager.recv(100))


def test_config_show_names_origins(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('log_level = "warning"\nmetrics_interval_s = 5.0\n')
    done = subprocess.run(
        [
            *(sys.executable, "-m", "selvedge", "config", "show", "--origin", "--json"),
            *("--config", str(config), "--set", "metrics_interval_s=7"),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env=os.environ | {"SELVEDGE_OUTBOX__WINDOW": "9", "XDG_STATE_HOME": str(tmp_path)},
    )
    shown = json.loads(done.stdout)
    assert shown["log_level"] == {"value": "warning", "origin": str(config)}
    assert shown["metrics_interval_s"] == {"value": 7, "origin": "command line"}
    assert shown["outbox.window"] == {"value": 9, "origin": "environment"}
    assert shown["broker.keepalive_s"]["origin"] == "default"
