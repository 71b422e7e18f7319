"""The four things that the contract leans on, on every broker that we start ourselves."""

import gc
import queue
import time

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from broker.adapters.private_broker import RunningBroker
from broker.adapters.tcp_proxy import TcpProxy
from broker.init.limits import MAX_PACKET_BYTES
from tests.support.brokers import PATIENCE_S, Received, TestClient, eventually

STATUS = "selvedge/v1/devices/pi-1/status"
V311 = MQTTProtocolVersion.MQTTv311
V5 = MQTTProtocolVersion.MQTTv5


@pytest.fixture(params=[("mosquitto", V311), ("mosquitto", V5), ("amqtt", V311)], ids=str)
def port_and_version(request):
    from broker.adapters import private_broker

    engine, version = request.param
    with private_broker.start(engine=engine) as running:
        yield running.address.port, version


def test_retained_message_reaches_a_later_subscriber(port_and_version):
    port, version = port_and_version
    with TestClient("writer", version=version).connect(port) as writer:
        writer.publish(STATUS, b"first", retain=True)
        writer.publish(STATUS, b"second", retain=True)
    with TestClient("reader", version=version).connect(port) as reader:
        assert reader.subscribe(STATUS) == [1]
        assert reader.drain() == [Received(STATUS, b"second", True, 1)]


def test_message_without_the_flag_is_not_retained(port_and_version):
    port, version = port_and_version
    with TestClient("writer", version=version).connect(port) as writer:
        writer.publish(STATUS, b"gone")
    with TestClient("reader", version=version).connect(port) as reader:
        reader.subscribe(STATUS)
        assert reader.drain() == []


def test_empty_payload_clears_what_is_retained_and_is_seen_by_subscribers(port_and_version):
    port, version = port_and_version
    with TestClient("writer", version=version).connect(port) as writer:
        writer.publish(STATUS, b"here", retain=True)
        with TestClient("watcher", version=version).connect(port) as watcher:
            watcher.subscribe(STATUS)
            assert watcher.receive().payload == b"here"
            writer.publish(STATUS, b"", retain=True)
            assert watcher.receive().payload == b""
    with TestClient("reader", version=version).connect(port) as reader:
        reader.subscribe("selvedge/v1/#")
        assert reader.drain() == []


def test_live_message_arrives_without_the_retain_flag(port_and_version):
    port, version = port_and_version
    with (
        TestClient("reader", version=version).connect(port) as reader,
        TestClient("writer", version=version).connect(port) as writer,
    ):
        reader.subscribe(STATUS)
        writer.publish(STATUS, b"now", retain=True)
        assert reader.receive() == Received(STATUS, b"now", False, 1)


def test_qos_1_in_order_and_complete_while_connected(port_and_version):
    port, version = port_and_version
    topic = "selvedge/v1/devices/pi-1/results/digits"
    count = 500
    with (
        TestClient("reader", version=version).connect(port) as reader,
        TestClient("writer", version=version).connect(port) as writer,
    ):
        reader.subscribe(topic)
        waiting = [writer.paho.publish(topic, f"{n}".encode(), 1) for n in range(count)]
        for publication in waiting:
            publication.wait_for_publish(PATIENCE_S)
            assert publication.is_published()
        assert [int(reader.receive().payload) for _ in range(count)] == list(range(count))
        assert reader.drain() == []


def test_qos_0_subscription_gets_qos_1_messages_at_qos_0(port_and_version):
    port, version = port_and_version
    with (
        TestClient("reader", version=version).connect(port) as reader,
        TestClient("writer", version=version).connect(port) as writer,
    ):
        assert reader.subscribe(STATUS, qos=0) == [0]
        writer.publish(STATUS, b"x")
        assert reader.receive().qos == 0


WILDCARDS = [
    ("a/+/c", ["a/b/c", "a//c"], ["a/b", "a/b/c/d", "x/b/c"]),
    ("a/#", ["a", "a/b", "a/b/c"], ["b", "ab"]),
    ("+/+", ["a/b", "/b"], ["a", "a/b/c"]),
    ("+/status", ["x/status"], ["x/y/status", "status"]),
]


@pytest.mark.parametrize(("text", "inside", "outside"), WILDCARDS)
def test_wildcards_match_as_the_standard_says(port_and_version, text, inside, outside):
    port, version = port_and_version
    with (
        TestClient("reader", version=version).connect(port) as reader,
        TestClient("writer", version=version).connect(port) as writer,
    ):
        for topic in [*inside, *outside]:
            writer.publish(topic, b"kept", retain=True)
        reader.subscribe(text)
        assert sorted(m.topic for m in reader.drain()) == sorted(inside)
        for topic in [*inside, *outside]:
            writer.publish(topic, b"live")
        assert [m.topic for m in reader.drain()] == inside


def test_will_is_published_and_retained_when_the_socket_dies(port_and_version):
    port, version = port_and_version
    with TestClient("watcher", version=version).connect(port) as watcher:
        watcher.subscribe(STATUS)
        dying = TestClient("pi-1", version=version, will=(STATUS, b"offline")).connect(port)
        dying.publish(STATUS, b"online", retain=True)
        assert watcher.receive().payload == b"online"
        dying.die()
        assert watcher.receive() == Received(STATUS, b"offline", False, 1)
    with TestClient("late", version=version).connect(port) as late:
        late.subscribe(STATUS)
        assert late.receive() == Received(STATUS, b"offline", True, 1)


def test_will_is_dropped_after_an_orderly_disconnect(port_and_version):
    port, version = port_and_version
    with TestClient("watcher", version=version).connect(port) as watcher:
        watcher.subscribe(STATUS)
        TestClient("pi-1", version=version, will=(STATUS, b"offline")).connect(port).disconnect()
        assert watcher.drain() == []


def test_will_is_published_when_a_half_open_client_falls_silent(port_and_version):
    port, version = port_and_version
    with (
        TcpProxy(port) as proxy,
        TestClient("watcher", version=version).connect(port) as watcher,
    ):
        watcher.subscribe(STATUS)
        silent = TestClient("pi-1", version=version, will=(STATUS, b"offline"), keepalive_s=1)
        silent.connect(proxy.port)
        proxy.stall(True)
        started = time.monotonic()
        assert watcher.receive(timeout_s=10).payload == b"offline"
        assert time.monotonic() - started >= 1.0
        silent.paho.loop_stop()


def test_second_client_with_the_same_id_ends_the_first(port_and_version):
    port, version = port_and_version
    first = TestClient("pi-1", version=version, will=(STATUS, b"offline")).connect(port)
    with (
        TestClient("watcher", version=version).connect(port) as watcher,
        TestClient("pi-1", version=version, will=(STATUS, b"offline")).connect(port) as second,
    ):
        watcher.subscribe(STATUS, "commands")
        reason = first.wait_disconnect()
        # mosquitto 2.0.11 closes without saying why, even under MQTT 5; newer ones say it.
        assert reason in ("Session taken over", "Unspecified error")
        second.publish(STATUS, b"online", retain=True)
        second.subscribe("commands")
        with TestClient("operator", version=version).connect(port) as operator:
            operator.publish("commands", b"to the second")
        assert second.receive().payload == b"to the second"
        # Whatever became of the first one's will: it comes before what the second says.
        seen = [m.payload for m in watcher.drain() if m.topic == STATUS]
        assert seen[-1] == b"online"
    first.paho.loop_stop()


def test_a_packet_beyond_the_bound_ends_the_connection_and_nothing_else(port_and_version):
    port, version = port_and_version
    topic = "selvedge/v1/blob"
    with TestClient("bystander", version=version).connect(port) as bystander:
        bystander.subscribe(topic)
        greedy = TestClient("greedy", version=version).connect(port)
        greedy.publish(topic, bytes(MAX_PACKET_BYTES - 100))
        assert len(bystander.receive().payload) == MAX_PACKET_BYTES - 100
        greedy.paho.publish(topic, bytes(MAX_PACKET_BYTES), 1)
        if version == V311:  # a client of MQTT 5 has been told the bound and refuses by itself
            greedy.wait_disconnect()
        with pytest.raises(queue.Empty):
            bystander.receive(timeout_s=0.5)
        bystander.publish(topic, b"still here")
        assert bystander.receive().payload == b"still here"
        greedy.paho.loop_stop()


def test_reconnecting_client_gets_nothing_that_it_did_not_ask_for(broker: RunningBroker):
    port = broker.address.port
    with (
        TestClient("owner").connect(port) as owner,
        TestClient("other").connect(port) as other,
    ):
        for n in range(20):
            owner.publish(f"owner/{n}", b"x", retain=True)
        owner.subscribe("owner/#")
        assert len(owner.drain()) == 20
        assert other.drain() == []
        with TestClient("newcomer").connect(port) as newcomer:
            assert newcomer.drain() == []
            newcomer.subscribe("owner/3")
            assert [m.topic for m in newcomer.drain()] == ["owner/3"]


def test_clean_session_forgets_its_subscriptions(broker: RunningBroker):
    port = broker.address.port
    with TestClient("pi-1").connect(port) as client:
        client.subscribe("topic")
    with (
        TestClient("pi-1").connect(port) as client,
        TestClient("writer").connect(port) as writer,
    ):
        writer.publish("topic", b"x", retain=True)
        assert client.drain() == []


def test_a_hundred_clients_come_back_at_once(broker: RunningBroker):
    count = 100  # each client of paho takes three file descriptors, and select() ends at 1024
    for _ in range(2):
        clients = [TestClient(f"pi-{n}") for n in range(count)]
        for n, client in enumerate(clients):
            client.connect(broker.address.port).subscribe(f"own/{n}")
        with TestClient("writer").connect(broker.address.port) as writer:
            for n in range(count):
                writer.publish(f"own/{n}", f"{n}".encode())
        for n, client in enumerate(clients):
            assert client.receive().payload == f"{n}".encode()
        for client in clients:
            client.die()
        del clients, client
        gc.collect()


def test_unacknowledged_publication_of_a_dead_broker_is_not_reported_as_sent(broker):
    with TcpProxy(broker.address.port) as proxy:
        client = TestClient("pi-1").connect(proxy.port)
        proxy.stall(True)
        publication = client.paho.publish("t", b"x", 1)
        assert not eventually(publication.is_published, 0.5)
        proxy.stall(False)
        assert eventually(publication.is_published)
        client.disconnect()
