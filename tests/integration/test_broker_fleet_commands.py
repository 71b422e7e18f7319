"""`devices`, `config get` and `config set` against brokers and a device that answers."""

import json
import threading
import time
from collections.abc import Iterator

import pytest

import selvedge
from broker.adapters import operator_link
from broker.adapters.tcp_proxy import TcpProxy
from broker.contract.messages import PipelineStatus, ReportedConfig, Status, encode
from tests.support.brokers import TestClient

PREFIX = "selvedge/v1"
OPERATORS = 3
HUGE = b'{"a": "' + b"x" * (257 * 1024) + b'"}'


class Device:
    """The config half of a device: merges, refuses `threshold` above 1, reports."""

    def __init__(self, port: int, name: str, *, mute: bool = False) -> None:
        self.name = name
        self.mute = mute
        self.documents: dict[str, dict] = {"devices": {}, "fleet": {}}
        base = f"{PREFIX}/devices/{name}"
        self.client = TestClient(name, will=(f"{base}/status", encode(Status("offline", "i"))))
        self.client.paho.on_message = self._on_message
        self.client.connect(port)
        pipelines = {"digits": PipelineStatus("running")}
        status = Status("online", "i", "0.1.0", time.time_ns() // 10**6, True, pipelines=pipelines)
        self.client.publish(f"{base}/status", encode(status), retain=True)
        self.client.subscribe(f"{base}/config/desired", f"{PREFIX}/fleet/config/desired")

    def _on_message(self, client, _data, message) -> None:
        self.documents[message.topic.split("/")[2]] = json.loads(message.payload or b"{}")
        if self.mute:
            return
        own, fleet = self.documents["devices"], self.documents["fleet"]
        applied = {k: v for k, v in {**fleet, **own}.items() if k != "version"}
        errors = {}
        if applied.get("threshold", 0) > 1:
            errors["threshold"] = "must be at most 1, got 7"
            applied["threshold"] = 0.5
        report = ReportedConfig(own.get("version"), fleet.get("version"), applied, errors)
        topic = f"{PREFIX}/devices/{self.name}/config/reported"
        client.publish(topic, encode(report), 1, True)


@pytest.fixture
def device(broker) -> Iterator[Device]:
    device = Device(broker.address.port, "pi-1")
    yield device
    device.client.disconnect()


@pytest.fixture
def run(broker, capsys, monkeypatch):
    """Run a command against the broker; returns exit code, stdout, stderr."""
    monkeypatch.setenv("SELVEDGE_BROKER__URL", broker.url)

    def run(*words: str) -> tuple[int, str, str]:
        code = selvedge.main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_devices_lists_who_is_there_and_who_is_not(run, device, broker):
    gone = Device(broker.address.port, "pi-2")
    gone.client.die()
    time.sleep(0.2)
    code, out, err = run("devices")
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["DEVICE", "STATE"],
        ["pi-1", "online"],
        ["pi-2", "offline"],
    ]
    tree = json.loads(run("devices", "--json")[1])
    assert tree["devices"]["pi-1"]["pipelines"]["digits"]["state"] == "running"


def test_devices_of_an_empty_broker(run):
    assert run("devices", "--json") == (0, '{"devices": {}}\n', "")


def test_three_hundred_devices_are_all_listed(run, broker):
    with TestClient("writer").connect(broker.address.port) as writer:
        writer.subscribe("last")
        for n in range(300):
            topic = f"{PREFIX}/devices/d{n}/status"
            writer.paho.publish(topic, encode(Status("online", "i")), 1, True)
        writer.publish("last", b"x")
        writer.receive()  # amqtt acknowledges what it has not retained yet
    assert len(json.loads(run("devices", "--json")[1])["devices"]) == 300


def test_set_get_and_unset(run, device):
    code, out, _ = run("config", "set", "pi-1", "threshold=0.7", "camera.name=front door")
    assert code == 0
    assert "pi-1: threshold = 0.7" in out
    tree = json.loads(run("config", "get", "pi-1", "--json")[1])
    assert tree["desired"] == {
        "threshold": 0.7,
        "camera": {"name": "front door"},
        "version": 1,
    }
    assert tree["reported"]["version"] == 1
    assert run("config", "get", "pi-1", "threshold")[0] == 0
    code, out, _ = run("config", "set", "pi-1", "--unset", "camera", "--json")
    assert code == 0
    assert json.loads(out)["desired"] == {"threshold": 0.7, "version": 2}
    assert run("config", "get", "pi-1", "camera")[0] == 3
    assert run("config", "set", "pi-1", "--unset", "threshold", "rate=2")[0] == 0
    assert json.loads(run("config", "get", "pi-1", "--json")[1])["desired"] == {
        "rate": 2,
        "version": 3,
    }


def test_refused_key_is_code_3_and_named(run, device):
    code, out, _ = run("config", "set", "pi-1", "threshold=7")
    assert code == 3
    assert "refused: threshold: must be at most 1, got 7" in out
    code, out, _ = run("config", "set", "pi-1", "camera=1")
    assert code == 0
    assert "also refused: threshold" in out


def test_fleet(run, device, broker):
    other = Device(broker.address.port, "pi-2")
    code, out, _ = run("config", "set", "--fleet", "rate=5")
    assert code == 0
    assert "pi-1: rate = 5" in out
    assert "pi-2: rate = 5" in out
    assert "rate = 5" in run("config", "get", "--fleet")[1]
    other.mute = True
    code, out, _ = run("config", "set", "--fleet", "rate=6", "--wait", "1")
    assert code == 5
    assert "pi-2: no answer; it is online" in out
    other.client.disconnect()


def test_device_that_is_silent_or_unknown_is_code_5(run, device):
    device.mute = True
    started = time.monotonic()
    code, out, _ = run("config", "set", "pi-1", "a=1", "--wait", "1", "--json")
    assert code == 5
    assert time.monotonic() - started >= 1
    assert json.loads(out)["silent"] == ["pi-1"]
    code, out, _ = run("config", "set", "pi-9", "a=1", "--wait", "0.2")
    assert code == 5
    assert "pi-9: no answer; it is unknown" in out
    assert run("config", "set", "pi-9", "a=2", "--wait", "0")[0] == 0
    assert run("config", "get", "pi-8")[0] == 5


def test_documents_that_are_none_crash_nobody(run, broker):
    topics = [f"{PREFIX}/devices/pi-1/{name}" for name in ("status", "config/reported")]
    desired = f"{PREFIX}/devices/pi-1/config/desired"
    with TestClient("rude").connect(broker.address.port) as rude:
        for payload in (b"\xff\xfe", b"{", b"[" * 5000, b"null", b'{"version": 1e999}', HUGE):
            for topic in [*topics, desired, f"{PREFIX}/fleet/config/desired"]:
                rude.publish(topic, payload, retain=True)
            assert run("devices")[0] == 0
            assert run("config", "get", "pi-1")[0] == 0
            assert run("config", "get", "--fleet")[0] == 0
            code, out, err = run("config", "set", "pi-1", "a=1", "--wait", "0")
            assert (code, out, err.count("\n")) == (3, "", 1)
    assert run("config", "set", "pi-1", "a=1", "--reset", "--wait", "0")[0] == 0
    tree = json.loads(run("config", "get", "pi-1", "--json")[1])
    assert tree["desired"] == {"a": 1, "version": 1}


def test_operators_at_once_lose_no_change(broker, device):
    codes: list[int] = []

    def one(n: int) -> None:
        words = ["config", "set", "pi-1", f"key-{n}={n}", "--broker", broker.url, "--json"]
        codes.append(selvedge.main(words))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(OPERATORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * OPERATORS
    document = device.documents["devices"]
    assert {key: value for key, value in document.items() if key != "version"} == {
        f"key-{n}": n for n in range(OPERATORS)
    }


@pytest.mark.parametrize(
    "words",
    [
        ("config", "set", "+", "a=1"),
        ("config", "set", "#", "a=1"),
        ("config", "set", "pi/1", "a=1"),
        ("config", "set"),
        ("config", "set", "pi-1"),
        ("config", "set", "pi-1", "a"),
        ("config", "set", "pi-1", "a=1", "--wait", "-1"),
        ("config", "set", "pi-1", "a=1", "--wait", "nan"),
        ("config", "get", "+"),
        ("config", "get", "pi-1", "a", "b"),
        ("config", "get"),
        ("devices", "--broker", "http://x"),
        ("devices", "--broker", "mqtt://x", "--ca", "y"),
    ],
)
def test_usage_errors_are_one_line(capsys, words):
    assert selvedge.main(list(words)) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def test_wildcard_as_prefix_is_refused(capsys):
    assert selvedge.main(["devices", "--prefix", "#"]) == 3
    assert capsys.readouterr().err.count("\n") == 1


NEED_A_BROKER = [("devices",), ("config", "get", "pi-1"), ("config", "set", "pi-1", "a=1")]


@pytest.mark.parametrize("words", NEED_A_BROKER)
def test_no_broker_is_one_line_and_code_5(capsys, words):
    assert selvedge.main([*words, "--broker", "mqtt://127.0.0.1:1"]) == 5
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "mqtt://127.0.0.1:1" in err


def test_broker_that_does_not_answer_or_goes_away_is_code_5(capsys, broker, device, monkeypatch):
    device.mute = True
    with TcpProxy(broker.address.port) as proxy:
        url = f"mqtt://127.0.0.1:{proxy.port}"
        cut = threading.Timer(1.5, proxy.cut)
        cut.start()
        assert selvedge.main(["config", "set", "pi-1", "a=1", "--wait", "20", "--broker", url]) == 5
        cut.join()
        proxy.stall(True)
        monkeypatch.setattr(operator_link, "TIMEOUT_S", 1.0)
        assert selvedge.main(["devices", "--broker", url]) == 5
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 2)


def test_certificate_files_that_are_none_are_code_3(capsys, tmp_path):
    (tmp_path / "x").write_text("no certificate")
    for file in ("x", "missing"):
        words = ["devices", "--broker", "mqtts://127.0.0.1:1", "--ca", str(tmp_path / file)]
        assert selvedge.main(words) == 3
        assert capsys.readouterr().err.count("\n") == 1
