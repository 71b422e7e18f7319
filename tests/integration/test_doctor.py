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

import hypothesis.strategies as st
import pytest
from hypothesis import given

from agent.adapters.state_folder import StateFolder
from agent.control.shadow import Remembered
from agent.doctor import cli
from agent.doctor.adapters import programs
from agent.doctor.adapters.broker_probe import ask_broker
from agent.doctor.adapters.configured import credentials_of, password_of, read_configuration
from agent.doctor.adapters.machine import (
    read_features,
    read_folder,
    read_memory,
    read_system,
    read_user,
)
from agent.doctor.facts import Refusal
from agent.doctor.finding import Finding
from agent.errors import ConfigError
from broker.contract.exit_code import ExitCode
from broker.contract.shape import to_tree

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
    levels = {finding["level"] for finding in tree["findings"]}
    assert done.returncode == (1 if "problem" in levels else 0)
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


def test_no_runtime_at_all_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "find_spec", lambda name: object() if name == "numpy" else None)
    monkeypatch.setattr(programs, "can_be_had", lambda: False)
    outcome = doctor("--state", str(tmp_path))
    assert outcome.exit_code == ExitCode.FINDINGS
    assert outcome.tree["runtimes"] == []


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        ((), ExitCode.DONE),
        (("ok", "warn"), ExitCode.DONE),
        (("ok", "problem", "warn"), ExitCode.FINDINGS),
    ],
)
def test_a_script_sees_problems_not_warnings(tmp_path, monkeypatch, levels, code):
    told = [Finding("check", level, "text") for level in levels]
    monkeypatch.setattr(cli, "examine", lambda _: told)
    assert doctor("--state", str(tmp_path)).exit_code == code


def test_a_state_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    folder = read_folder(tmp_path / "file" / "state")
    assert folder.problem is not None
    assert folder.is_new
    assert read_folder(Path("/proc/selvedge")).problem is not None
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_state_folder_that_one_may_not_look_into(tmp_path):
    (tmp_path / "private" / "selvedge").mkdir(parents=True)
    (tmp_path / "private").chmod(0o700)
    path = tmp_path / "private" / "selvedge"
    os.seteuid(65534)
    try:
        folder = read_folder(path)
    finally:
        os.seteuid(0)
    assert folder.problem == "Permission denied"
    assert not folder.is_full


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


def test_features_as_the_kernel_tells_them(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_bytes(b"processor\t: 0\nmodel name\t: \xff\nFeatures\t: fp asimd\nFeatures\t: fp\n")
    assert read_features(path) == {"fp", "asimd"}
    path.write_text("nothing of the kind\n")
    assert read_features(path) is None
    assert read_features(tmp_path / "none") is None


@given(st.binary(max_size=300))
def test_no_cpuinfo_breaks_it(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "cpuinfo"
    path.write_bytes(text)
    assert all(isinstance(each, str) for each in read_features(path) or ())


CONFIG = """
[broker]
url = "mqtts://broker"
ca = "$CREDENTIALS_DIRECTORY/mqtt_ca.crt"
cert = "/own/client.crt"
key = "/own/client.key"
username = "me"
password_file = "{folder}/password"

[mcus.here]
port = "/dev/null"
[mcus.gone]
port = "/dev/ttyACM77"
[mcus.far]
port = "socket://10.0.0.1:7"

[pipelines.off]
enabled = false
model = "/none"
source = {{ kind = "serial", port = "/dev/ttyACM78" }}
postprocess = {{ kind = "regress" }}
[pipelines.on]
model = "/none"
source = {{ kind = "v4l2", device = "/dev/video77" }}
postprocess = {{ kind = "regress" }}
"""


def test_what_is_configured_and_not_there(tmp_path):
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.format(folder=tmp_path))
    found, config = read_configuration([str(path)], str(tmp_path / "state"), {})
    assert (found.files, found.problem) == ((str(path),), None)
    assert [lack.key for lack in found.lacks] == [
        *("mcus.gone.port", "pipelines.on.source.device", "pipelines.on.model")
    ]
    assert credentials_of(config.broker, {}) == {
        "ca": "/etc/selvedge/credentials/ca.crt",
        "cert": "/own/client.crt",
        "key": "/own/client.key",
    }
    handed_over = credentials_of(config.broker, {"CREDENTIALS_DIRECTORY": "/run/c"})
    assert handed_over["ca"] == "/run/c/mqtt_ca.crt"
    assert password_of(config.broker) == ("me", "")
    (tmp_path / "password").write_text("secret\n")
    assert password_of(config.broker) == ("me", "secret")


def test_what_was_set_over_mqtt_counts(tmp_path):
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.format(folder=tmp_path))
    state = StateFolder(tmp_path / "state")
    state.remember(to_tree(Remembered(accepted={"pipelines": {"on": {"enabled": False}}})))
    found, config = read_configuration([str(path)], str(tmp_path / "state"), {})
    assert not config.pipelines["on"].enabled
    assert [lack.key for lack in found.lacks] == ["mcus.gone.port"]


def test_configuration_that_is_refused(tmp_path):
    path = tmp_path / "agent.toml"
    path.write_text("log_level = 7\n")
    found, config = read_configuration([str(path)])
    assert config is None
    assert f"{path}: log_level" in found.problem
