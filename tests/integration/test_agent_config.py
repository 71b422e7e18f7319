"""Configuration and commands over MQTT, while the agent runs."""

import base64
import io
import time

import pytest
from PIL import Image

from broker.adapters.private_broker import RunningBroker
from broker.contract.topics import (
    CommandChannel,
    DesiredChannel,
    FleetDesiredChannel,
    StatusChannel,
)
from tests.support.agents import TOPICS, Bench, Fleet, RunningAgent


def test_a_threshold_changes_without_a_restart(broker: RunningBroker, bench: Bench) -> None:
    port = broker.address.port
    config = bench.config({"digits": bench.pipeline()})
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("digits") >= 10)
        child = agent.children()[0].pid
        first = fleet.results["dev-1", "digits"][:10]
        assert sum(bool(result.outputs["active"]) for result in first) >= 8
        post = {"threshold": 1.0, "release": 1.0}
        fleet.desire({"version": 3, "pipelines": {"digits": {"postprocess": post}}})
        fleet.wait(lambda: fleet.reports["dev-1"][-1].version == 3)
        report = fleet.reports["dev-1"][-1]
        assert report.errors == {}
        assert report.applied["pipelines"]["digits"]["postprocess"]["threshold"] == 1.0
        fleet.wait(lambda: fleet.results["dev-1", "digits"][-1].outputs["active"] is None)
        assert agent.children()[0].pid == child


def test_a_bad_key_never_undoes_a_good_one(mosquitto: RunningBroker, bench: Bench) -> None:
    port = mosquitto.address.port
    config = bench.config({"digits": bench.pipeline()})
    with Fleet(port) as fleet:
        with RunningAgent(config, port) as agent:
            fleet.wait(lambda: fleet.count("digits") >= 3)
            fleet.desire({"version": 1, "pipelines": {"digits": {"postprocess": {"top_k": 2}}}})
            fleet.wait(lambda: fleet.reports["dev-1"][-1].version == 1)
            fleet.desire(
                {
                    "version": 2,
                    "log_level": "debug",
                    "colour": "blue",
                    "broker": {"url": "mqtt://evil:1883"},
                    "pipelines": {
                        "digits": {"postprocess": {"top_k": "many"}, "source": {"rate_hz": -5}}
                    },
                }
            )
            fleet.wait(lambda: fleet.reports["dev-1"][-1].version == 2)
            report = fleet.reports["dev-1"][-1]
            assert set(report.errors) == {
                "colour",
                "broker",
                "pipelines.digits.postprocess.top_k",
                "pipelines.digits.source.rate_hz",
            }
            assert "above 0, got -5" in report.errors["pipelines.digits.source.rate_hz"]
            assert report.applied["log_level"] == "debug"
            assert report.applied["pipelines"]["digits"]["postprocess"]["top_k"] == 2
            assert "broker" not in report.applied
            agent.stop()
        with RunningAgent(config, port):
            reports = len(fleet.reports["dev-1"])
            fleet.wait(lambda: len(fleet.reports["dev-1"]) > reports)
            applied = fleet.reports["dev-1"][-1].applied
            assert applied["pipelines"]["digits"]["postprocess"]["top_k"] == 2


def test_desired_is_kept_while_there_is_no_broker(mosquitto: RunningBroker, bench: Bench) -> None:
    port = mosquitto.address.port
    config = bench.config({})
    with Fleet(port) as fleet:
        with RunningAgent(config, port) as agent:
            fleet.wait(lambda: fleet.status() is not None)
            fleet.desire({"pipelines": {"digits": bench.pipeline()}})
            fleet.wait(lambda: fleet.count("digits") >= 3)
            agent.stop()
        mosquitto.kill()
        with RunningAgent(config, port) as agent:
            deadline = time.monotonic() + 10
            while not agent.children() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert agent.children()


def test_fleet_and_device_are_merged(mosquitto: RunningBroker, bench: Bench) -> None:
    port = mosquitto.address.port
    config = bench.config({"digits": bench.pipeline()})
    with Fleet(port) as fleet, RunningAgent(config, port):
        fleet.wait(lambda: fleet.count("digits") >= 3)
        everyone = b'{"version": 7, "log_level": "warning", "metrics_interval_s": 0.3}'
        fleet.client.publish(TOPICS.topic(FleetDesiredChannel()), everyone, retain=True)
        fleet.wait(lambda: fleet.reports["dev-1"][-1].fleet_version == 7)
        fleet.desire({"log_level": "error"})
        fleet.wait(lambda: fleet.reports["dev-1"][-1].applied["log_level"] == "error")
        assert fleet.reports["dev-1"][-1].applied["metrics_interval_s"] == 0.3
        fleet.desire({})
        fleet.wait(lambda: fleet.reports["dev-1"][-1].applied["log_level"] == "warning")


def test_pipelines_come_and_go(mosquitto: RunningBroker, bench: Bench) -> None:
    port = mosquitto.address.port
    config = bench.config({"one": bench.pipeline()})
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("one") >= 3)
        sensor = bench.pipeline(
            source={"kind": "mqtt", "topic": "hall/pixels", "payload": "raw", "dtype": "uint8"},
            preprocess={"kind": "tensor"},
        )
        fleet.desire({"pipelines": {"two": sensor, "one": {"enabled": False}}})
        fleet.wait(lambda: fleet.state("two") == "running" and fleet.state("one") == "stopped")
        import numpy as np

        image = np.load(bench.images)[5]
        deadline = time.monotonic() + 10
        while not fleet.count("two") and time.monotonic() < deadline:
            fleet.client.publish("hall/pixels", image.tobytes())
            time.sleep(0.1)
        label = fleet.results["dev-1", "two"][0].outputs["top"][0]["label"]
        assert label == str(bench.labels[5])
        fleet.desire({"pipelines": {}})
        fleet.wait(lambda: fleet.state("two") is None and fleet.state("one") == "running")
        assert len(agent.children()) == 1


def test_commands(broker: RunningBroker, bench: Bench) -> None:
    port = broker.address.port
    config = bench.config({"digits": bench.pipeline()})
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("digits") >= 3)
        fleet.order_command("ping", "p1")
        pong = fleet.outcome("ping", "p1")
        assert pong.status == "successful"
        assert abs(pong.result["time_ms"] / 1000 - time.time()) < 60
        states = [command.status for command in fleet.commands["ping", "p1"]]
        assert states == ["init", "executing", "successful"]

        fleet.order_command("snapshot", "s1", {"pipeline": "digits"})
        seen = fleet.outcome("snapshot", "s1").result
        picture = Image.open(io.BytesIO(base64.b64decode(seen["input"]["jpeg_base64"])))
        assert picture.size == (8, 8)
        assert seen["outputs"]["task"] == "classify"

        fleet.order_command("set-log-level", "l1", {"level": "debug"})
        assert fleet.outcome("set-log-level", "l1").status == "successful"
        fleet.order_command("set-log-level", "l2", {"level": "loud"})
        assert "level must be one of" in fleet.outcome("set-log-level", "l2").reason

        fleet.order_command("dance", "d1")
        assert "unknown command dance" in fleet.outcome("dance", "d1").reason

        child = agent.children()[0].pid
        fleet.order_command("restart", "r1", {"pipeline": "digits"})
        assert fleet.outcome("restart", "r1").status == "successful"
        fleet.wait(lambda: [c.pid for c in agent.children()] not in ([], [child]))
        fleet.wait(lambda: fleet.state("digits") == "running")

        instance = fleet.status().instance
        fleet.order_command("restart", "r2")
        assert fleet.outcome("restart", "r2").status == "successful"
        assert fleet.status().instance != instance
        before = fleet.count("digits")
        fleet.wait(lambda: fleet.count("digits") > before)
        assert agent.process.poll() is None


NONSENSE = [
    b"\xff\xfe\x00",
    b"not json",
    b"[1, 2",
    b'"a string"',
    b"[]",
    b"null",
    b'{"a": NaN}',
    b'{"version": "x", "pipelines": 5}',
    b'{"pipelines": {"#": {}, "a/b": 1, "": null}}',
    b'{"status": 7}',
    b'{"status": "init", "args": []}',
    b"[" * 100_000,
    b'{"log_level": ' + b"9" * 5000 + b"}",
    b"x" * 250_000,
]


def test_nonsense_on_every_topic_changes_nothing(mosquitto: RunningBroker, bench: Bench) -> None:
    port = mosquitto.address.port
    sensor = bench.pipeline(
        source={"kind": "mqtt", "topic": "hall/pixels", "payload": "json"},
        preprocess={"kind": "tensor"},
    )
    config = bench.config({"digits": bench.pipeline(), "sensor": sensor})
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("digits") >= 3 and fleet.state("sensor") == "running")
        children = {child.pid for child in agent.children()}
        topics = [
            TOPICS.topic(DesiredChannel("dev-1")),
            TOPICS.topic(FleetDesiredChannel()),
            TOPICS.topic(StatusChannel("dev-1")),
            TOPICS.topic(CommandChannel("dev-1", "ping", "x")),
            TOPICS.topic(CommandChannel("dev-1", "restart", "y")),
            "hall/pixels",
        ]
        for topic in topics:
            for payload in NONSENSE:
                fleet.client.publish(topic, payload)
        fleet.order_command("ping", "after")
        assert fleet.outcome("ping", "after").status == "successful"
        assert {child.pid for child in agent.children()} == children
        fleet.wait(lambda: fleet.status().state == "online")
        before = fleet.count("digits")
        fleet.wait(lambda: fleet.count("digits") > before + 5)
        assert agent.process.poll() is None


@pytest.mark.parametrize("device", ["+", "#", "a/b", "A", ""])
def test_a_wildcard_is_no_device_id(bench: Bench, device: str) -> None:
    agent = RunningAgent(bench.config({}), 1, device, state=bench.folder / "s")
    assert agent.process.wait(15) == 3
    assert len(agent.output().strip().splitlines()) == 1
    assert "device_id" in agent.output()
