"""`selvedge broker` as users and parents run it: real processes, real signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from broker.adapters import private_broker
from broker.adapters.listen_address import ListenAddress
from broker.adapters.private_broker import RunningBroker
from broker.errors import ConfigError, LinkError
from tests.support.brokers import ENGINES, TestClient, eventually

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", str(ROOT / "selvedge.py"), "broker", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=15)
    return process.returncode, out, err


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_says_where_it_listens_serves_and_leaves_nothing(engine, number):
    process = start("--listen", "127.0.0.1:0", "--engine", engine, "--json")
    first = json.loads(process.stdout.readline())
    assert first["engine"] == engine
    port = int(first["url"].removeprefix("mqtt://127.0.0.1:"))
    with TestClient("someone").connect(port) as client:
        client.publish("t", b"x")
    process.send_signal(number)
    assert finish(process) == (0, "", "")
    assert eventually(lambda: not psutil.pid_exists(first["pid"]))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize("engine", ENGINES)
def test_engine_dies_with_a_parent_that_is_killed(engine):
    process = start("--listen", "127.0.0.1:0", "--engine", engine, "--json")
    pid = json.loads(process.stdout.readline())["pid"]
    assert psutil.pid_exists(pid)
    process.kill()
    process.wait()
    assert eventually(lambda: not psutil.pid_exists(pid))


@pytest.mark.parametrize("engine", ENGINES)
def test_port_in_use_is_one_line_and_code_5(engine):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        code, out, err = finish(start("--listen", f"127.0.0.1:{port}", "--engine", engine))
    assert (code, out) == (5, "")
    assert err.count("\n") == 1
    assert f"127.0.0.1:{port}" in err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--listen", "nonsense:port"], 2),
        (["--listen", "127.0.0.1:70000"], 2),
        (["--listen", "no host:1"], 2),
        (["--listen", "192.0.2.1:0"], 5),
        (["--listen", "127.0.0.1:0", "--engine", "amqtt", "--state", "/tmp/x"], 3),
        (["--listen", "127.0.0.1:0", "--state", "/proc/nowhere"], 3),
    ],
)
def test_refusals_are_one_line(arguments, code):
    got, out, err = finish(start(*arguments))
    assert (got, out, err.count("\n")) == (code, "", 1), err


def test_engine_that_ends_by_itself_ends_the_command():
    process = start("--listen", "127.0.0.1:0", "--engine", "mosquitto", "--json")
    os.kill(json.loads(process.stdout.readline())["pid"], signal.SIGKILL)
    code, _, err = finish(process)
    assert code == 5
    assert err.count("\n") == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_restart_on_the_same_port_works_at_once_after_a_kill(engine):
    running = private_broker.start(engine=engine)
    for _ in range(5):
        client = TestClient("pi-1").connect(running.address.port)
        running.kill()
        client.wait_disconnect()
        client.paho.loop_stop()
        running = private_broker.start(running.address, engine)
    running.stop()
    assert not psutil.pid_exists(running.pid)


def retain(running: RunningBroker) -> None:
    with TestClient("writer").connect(running.address.port) as writer:
        writer.publish("kept", b"x", retain=True)


def retained(running: RunningBroker) -> list[bytes]:
    with TestClient("reader").connect(running.address.port) as reader:
        reader.subscribe("kept")
        return [message.payload for message in reader.drain()]


def test_state_outlives_the_broker_and_only_with_a_folder(mosquitto):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # a broker started by root gives up root and must get there
        state = Path(folder) / "deep" / "state"
        with private_broker.start(engine="mosquitto", state=state) as first:
            retain(first)
        with private_broker.start(engine="mosquitto", state=state) as second:
            assert retained(second) == [b"x"]
    retain(mosquitto)
    mosquitto.stop()
    with private_broker.start(mosquitto.address, "mosquitto") as again:
        assert retained(again) == []


def test_mosquitto_started_by_root_does_not_stay_root(mosquitto):
    process = psutil.Process(mosquitto.pid)
    assert process.name() == "mosquitto"
    assert process.uids().effective != 0
    assert process.uids().effective == (os.geteuid() or process.uids().real)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand a folder to another user")
def test_state_folder_that_the_broker_cannot_enter_is_refused():
    with tempfile.TemporaryDirectory() as folder, pytest.raises(ConfigError, match="mosquitto"):
        private_broker.start(engine="mosquitto", state=Path(folder))


def test_folder_of_the_configuration_is_removed(mosquitto):
    assert mosquitto.folder.is_dir()
    mosquitto.stop()
    assert not mosquitto.folder.exists()


def test_engine_that_does_not_start_says_why(monkeypatch):
    monkeypatch.setattr(
        "broker.adapters.mosquitto_engine.private_config", lambda *_: "no_such_option true\n"
    )
    with pytest.raises(LinkError, match="Unknown configuration variable"):
        private_broker.start(engine="mosquitto")


def test_start_from_a_thread_that_ends_does_not_end_the_broker():
    import threading

    started = []
    thread = threading.Thread(target=lambda: started.append(private_broker.start()))
    thread.start()
    thread.join()
    time.sleep(0.2)
    with started[0] as running, TestClient("x").connect(running.address.port) as client:
        client.publish("t", b"x")


def test_ipv6_loopback():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    for engine in ENGINES:
        with private_broker.start(ListenAddress.parse("[::1]:0"), engine) as running:
            assert running.url == f"mqtt://[::1]:{running.address.port}"
            TestClient("x").connect(running.address.port, "::1").disconnect()
