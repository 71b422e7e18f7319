"""An agent's life on a real broker: online, serving, changed, stopped, killed, doubled."""

import time

import psutil
import pytest

from agent.runtime.adapters.installed import available
from broker.adapters.private_broker import RunningBroker
from tests.support.agents import Bench, Fleet, RunningAgent

pytestmark = pytest.mark.filterwarnings("error")


def test_serves_on_either_broker(broker: RunningBroker, bench: Bench) -> None:
    config = bench.config({"digits": bench.pipeline()})
    with Fleet(broker.address.port) as fleet, RunningAgent(config, broker.address.port) as agent:
        fleet.wait(lambda: fleet.count("digits") >= 60 and bool(fleet.metrics))
        status = fleet.status()
        assert status is not None
        assert status.state == "online"
        assert status.runtimes == tuple(found.runtime for found in available())
        assert "tflite" in status.runtimes
        served = status.pipelines["digits"]
        assert (served.state, served.runtime, served.source) == ("running", "tflite", "open")
        topics = [topic for topic in fleet.order if "/status" in topic or "/config/" in topic]
        assert [topic.rsplit("/", 1)[1] for topic in topics[:3]] == ["schema", "reported", "status"]

        results = fleet.results["dev-1", "digits"]
        sequences = [result.sequence for result in results]
        assert sequences == list(range(len(sequences)))
        right = sum(
            result.outputs["top"][0]["label"]
            == str(bench.labels[int(result.input.split("[")[1][:-1])])
            for result in results
            if result.input
        )
        assert right / len(results) > 0.95
        assert all(result.model == served.model for result in results)
        assert all(abs(result.time_ms / 1000 - time.time()) < 60 for result in results)

        metrics = fleet.metrics["dev-1"][-1]
        assert metrics.rss_bytes > 0
        assert metrics.pipelines["digits"].rss_bytes
        assert metrics.outbox.dropped == 0
        assert agent.stop() == 0
        fleet.wait(lambda: fleet.status().state == "stopped")
        assert not fleet.broken


def test_its_only_line_is_the_one_to_the_broker(mosquitto: RunningBroker, bench: Bench) -> None:
    port = mosquitto.address.port
    config = bench.config({"digits": bench.pipeline()})
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("digits") > 0)
        processes = [psutil.Process(agent.process.pid), *agent.children()]
        lines = [line for each in processes for line in each.net_connections("inet")]
    # Not even one to itself: a service that may reach its broker only has no loopback.
    assert [line.raddr.port for line in lines] == [port]


def test_sequences_go_on_after_a_clean_restart(mosquitto: RunningBroker, bench: Bench) -> None:
    port = mosquitto.address.port
    config = bench.config({"digits": bench.pipeline()})
    with Fleet(port) as fleet:
        for wanted in (10, 40):
            with RunningAgent(config, port) as agent:
                fleet.wait(lambda: fleet.count("digits") >= wanted)  # noqa: B023 - waited for here
                assert agent.stop() == 0
        sequences = sorted({result.sequence for result in fleet.results["dev-1", "digits"]})
        assert sequences == list(range(len(sequences)))


def test_a_killed_agent_is_offline_and_comes_back(broker: RunningBroker, bench: Bench) -> None:
    port = broker.address.port
    config = bench.config({"digits": bench.pipeline()})
    with Fleet(port) as fleet:
        with RunningAgent(config, port) as agent:
            fleet.wait(lambda: fleet.count("digits") >= 5)
            children = agent.children()
            agent.kill()
            fleet.wait(lambda: fleet.status().state == "offline")
            for child in children:
                child.wait(5)
        with RunningAgent(config, port):
            fleet.wait(lambda: fleet.status().state == "online")
            before = fleet.count("digits")
            fleet.wait(lambda: fleet.count("digits") >= before + 5)
            time.sleep(0.5)
            assert fleet.status().state == "online"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_of_two_agents_with_one_name_one_stays(
    mosquitto: RunningBroker, bench: Bench, protocol: str
) -> None:
    port = mosquitto.address.port
    config = bench.config({"digits": bench.pipeline()}, broker={"protocol": protocol})
    with Fleet(port) as fleet:
        first = RunningAgent(config, port, state=bench.folder / "one")
        with first:
            fleet.wait(lambda: fleet.count("digits") >= 3)
            with RunningAgent(config, port, state=bench.folder / "two") as second:
                both = (first, second)
                fleet.wait(
                    lambda: any(agent.process.poll() is not None for agent in both), timeout_s=120
                )
                ended = [agent for agent in both if agent.process.poll() is not None]
                assert len(ended) == 1
                assert ended[0].process.returncode == 5
                last_line = ended[0].output().strip().splitlines()[-1]
                assert "another agent uses the device id 'dev-1'" in last_line
                survivor = both[1 - both.index(ended[0])]
                # It was pushed out a moment ago, and may be in one of its longer waits.
                fleet.wait(lambda: fleet.status().state == "online", timeout_s=90)
                before = fleet.count("digits")
                fleet.wait(lambda: fleet.count("digits") > before + 20, timeout_s=90)
                assert survivor.process.poll() is None


def test_results_wait_while_the_broker_is_away(mosquitto: RunningBroker, bench: Bench) -> None:
    from broker.adapters import private_broker
    from broker.adapters.tcp_proxy import TcpProxy

    config = bench.config({"digits": bench.pipeline()}, outbox={"commit_interval_ms": 200})
    with TcpProxy(mosquitto.address.port) as cable:
        fleet = Fleet(mosquitto.address.port)
        with RunningAgent(config, cable.port) as agent:
            fleet.wait(lambda: fleet.count("digits") >= 20)
            seen = list(fleet.results["dev-1", "digits"])
            cable.allow(False)
            cable.cut()
            fleet.client.die()
            mosquitto.kill()
            time.sleep(1.5)
            with private_broker.start(mosquitto.address, "mosquitto") as again:
                later = Fleet(again.address.port)
                cable.allow(True)
                known = {result.sequence for result in seen}
                later.wait(lambda: later.count("digits") >= 120 and later.gapless("digits", known))
                assert agent.process.poll() is None
                fresh = later.results["dev-1", "digits"]
                late = [result for result in fresh if result.late]
                assert len(late) >= 20
                sequences = {result.sequence for result in (*seen, *fresh)}
                assert sequences == set(range(max(sequences) + 1))
                later.close()
