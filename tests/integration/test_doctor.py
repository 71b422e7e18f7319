import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from pathlib import Path

import pytest

from agent.doctor import cli
from agent.doctor.adapters import programs
from agent.doctor.adapters.broker_probe import ask_broker
from agent.doctor.adapters.machine import read_folder, read_memory, read_system, read_user
from agent.doctor.facts import Refusal
from agent.errors import ConfigError
from broker.contract.exit_code import ExitCode

ROOT = Path(__file__).parents[2]


def doctor(*words):
    parser = ArgumentParser()
    cli.configure(parser)
    return cli.run(parser.parse_args(words))


def test_the_command_on_this_machine(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "selvedge.py", "doctor", "--json", "--state", tmp_path / "new"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    tree = json.loads(done.stdout)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "tflite" in tree["runtimes"]
    checks = {finding["check"]: finding for finding in tree["findings"]}
    assert checks["python"]["text"] == "Python {}.{}.{}".format(*sys.version_info[:3])
    assert checks["state folder"]["text"].endswith("to be made")
    assert not (tmp_path / "new").exists()
    assert list(tmp_path.iterdir()) == []


def test_text_is_one_line_for_each_finding(tmp_path):
    outcome = doctor("--state", str(tmp_path))
    lines = outcome.text.splitlines()
    assert len(lines) == len(outcome.tree["findings"])
    assert all(line.split()[0] in ("ok", "warn", "problem") for line in lines)


def test_no_runtime_at_all_is_exit_code_6(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "find_spec", lambda name: object() if name == "numpy" else None)
    monkeypatch.setattr(programs, "can_be_had", lambda: False)
    outcome = doctor("--state", str(tmp_path))
    assert outcome.exit_code == ExitCode.UNAVAILABLE
    assert outcome.tree["runtimes"] == []


def test_a_state_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    folder = read_folder(tmp_path / "file" / "state")
    assert folder.problem is not None
    assert folder.is_new
    assert read_folder(Path("/proc/selvedge")).problem is not None
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_memory_as_the_kernel_tells_it(tmp_path):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 436000 kB\nMemAvailable: 9 kB\nHugePages_Total: 0\nCmaTotal: 7 kB\n")
    memory = read_memory(path)
    assert (memory.total, memory.available) == (436000 * 1024, 9 * 1024)
    assert (memory.cma_total, memory.cma_free) == (7 * 1024, None)
    path.write_bytes(b"MemTotal\xff: x\n\n::\n")
    assert read_memory(path).total == 0
    assert read_memory(tmp_path / "nothing").total == 0
    assert read_memory().total > 0


def test_who_and_where():
    assert read_user().is_root == (os.geteuid() == 0)
    assert read_system().pointer_bits in (32, 64)
    assert programs.installed_version("numpy")
    assert programs.installed_version("no_such_package_here") is None


@pytest.fixture
def mosquitto(tmp_path):
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed: sudo apt install mosquitto")
    started = []

    def start(*lines):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        config = tmp_path / f"{port}.conf"
        config.write_text("\n".join([f"listener {port} 127.0.0.1", *lines]))
        started.append(subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL))
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return port
            time.sleep(0.02)
        raise AssertionError("mosquitto does not listen")

    yield start
    for process in started:
        process.terminate()
        process.wait()


def test_a_broker_that_accepts_and_one_that_does_not(mosquitto, tmp_path):
    port = mosquitto("allow_anonymous true")
    answer = ask_broker(f"mqtt://127.0.0.1:{port}")
    assert answer.problem is None
    outcome = doctor("--state", str(tmp_path), "--broker", f"mqtt://127.0.0.1:{port}")
    finding = next(item for item in outcome.tree["findings"] if item["check"] == "broker")
    assert finding["level"] == "ok"
    assert outcome.exit_code == ExitCode.DONE
    port = mosquitto("allow_anonymous false")
    assert "authori" in ask_broker(f"mqtt://127.0.0.1:{port}").problem.lower()


def test_nobody_there():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        answer = ask_broker(f"mqtt://127.0.0.1:{probe.getsockname()[1]}")
    assert (answer.problem, answer.refusal) == ("Connection refused", Refusal.NOBODY)
    assert ask_broker("mqtt://no-such-name.invalid").refusal == Refusal.NAME


def test_a_broker_without_tls(mosquitto):
    port = mosquitto("allow_anonymous true")
    assert ask_broker(f"mqtts://127.0.0.1:{port}").refusal == Refusal.NO_TLS


@pytest.mark.parametrize(
    ("words", "reason"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "closes"), (b"", "closes"), (None, "does not answer")],
)
def test_what_is_no_broker(monkeypatch, words, reason):
    from agent.doctor.adapters import broker_probe

    monkeypatch.setattr(broker_probe, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                if words is None:
                    peer.recv(1000)
                else:
                    peer.sendall(words)

        thread = threading.Thread(target=answer)
        thread.start()
        problem = ask_broker(f"mqtt://127.0.0.1:{server.getsockname()[1]}").problem
        thread.join()
    assert reason in problem


@pytest.mark.parametrize("url", ["x", "http://host", "mqtt://", "mqtt://host:99999", "mqtt://[::1"])
def test_what_is_no_url(url):
    with pytest.raises(ConfigError, match="--broker"):
        ask_broker(url)


def test_certificates_that_cannot_be_read(tmp_path):
    answer = ask_broker("mqtts://127.0.0.1:1", ca=str(tmp_path / "nothing"))
    assert answer.refusal == Refusal.UNREADABLE
    assert "No such file" in answer.problem
