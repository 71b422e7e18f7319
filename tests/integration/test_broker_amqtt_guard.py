"""What amqtt does wrong by itself, and that our subclass and our door mend it.

A test on the plain broker that starts to fail says: amqtt has changed, and the guard may go.
"""

import asyncio
import contextlib
import inspect
import queue
import random
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker

from broker.adapters import amqtt_engine
from broker.adapters.amqtt_broker import GuardedBroker
from broker.adapters.amqtt_door import WRONG_PROTOCOL_LEVEL
from broker.init.limits import MAX_PACKET_BYTES
from tests.support.brokers import TestClient

V5 = 5
RECEIVE_MAXIMUM = b"\x21\x00\x14"


@contextlib.contextmanager
def serving(kind: type[Broker]) -> Iterator[int]:
    """An engine with `kind` of broker in a thread of this process; yields its port."""
    ready: Future[int] = Future()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    work = amqtt_engine.serve("127.0.0.1", 0, stop, ready.set_result, kind)
    thread = threading.Thread(target=loop.run_until_complete, args=(work,), daemon=True)
    thread.start()
    try:
        yield ready.result(5)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()


def foreign_messages(port: int) -> int:
    """How many retained messages a newcomer gets before it has asked for any."""
    with TestClient("owner").connect(port) as owner:
        owner.publish("owner/secret", b"x", retain=True)
        owner.subscribe("owner/#")
        with TestClient("newcomer").connect(port) as newcomer:
            return len(newcomer.drain())


def test_plain_amqtt_sends_newcomers_the_retained_messages_of_others():
    with serving(Broker) as port:
        assert foreign_messages(port) == 1


def test_guarded_amqtt_does_not():
    with serving(GuardedBroker) as port:
        assert foreign_messages(port) == 0


def test_plain_amqtt_leaves_the_first_of_two_with_one_id_connected():
    with serving(Broker) as port:
        first = TestClient("pi-1").connect(port)
        with TestClient("pi-1").connect(port), pytest.raises(queue.Empty):
            first.wait_disconnect(0.5)
        first.die()


def test_what_the_guard_overrides_is_still_there():
    def parameters(name):
        return list(inspect.signature(getattr(Broker, name)).parameters)

    assert parameters("_publish_retained_messages_for_subscription") == [
        "self",
        "subscription",
        "session",
    ]
    assert parameters("_delete_session") == ["self", "client_id"]
    assert parameters("_initialize_client_session") == [
        "self",
        "reader",
        "writer",
        "remote_address",
        "remote_port",
    ]


def connect_packet(level: int, client_id: bytes, properties: bytes = b"") -> bytes:
    body = b"\x00\x04MQTT" + bytes((level, 2)) + b"\x00\x3c"
    if level == V5:
        body += bytes((len(properties),)) + properties
    body += struct.pack("!H", len(client_id)) + client_id
    return b"\x10" + bytes((len(body),)) + body


def answer(port: int, sent: bytes) -> bytes:
    """All that the broker answers until it closes; TimeoutError if it does neither."""
    with socket.create_connection(("127.0.0.1", port), timeout=1.5) as connection:
        connection.sendall(sent)
        got = b""
        while part := connection.recv(1000):
            got += part
        return got


@pytest.mark.parametrize("properties", [b"", RECEIVE_MAXIMUM])
def test_mqtt_5_is_refused_at_once_as_mqtt_3_1_1_says(amqtt, properties):
    packet = connect_packet(V5, b"pi-1", properties)
    assert answer(amqtt.address.port, packet) == WRONG_PROTOCOL_LEVEL


def test_amqtt_without_our_door_lets_mqtt_5_wait_for_ever():
    async def plain() -> bytes:
        broker = GuardedBroker(amqtt_engine.broker_config())
        await broker.start()

        async def accept(reader, writer):
            adapters = StreamReaderAdapter(reader), StreamWriterAdapter(writer)
            await broker.external_connected(*adapters, amqtt_engine.LISTENER)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            packet = connect_packet(V5, b"pi-1", RECEIVE_MAXIMUM)
            try:
                return await asyncio.to_thread(answer, port, packet)
            finally:
                await broker.shutdown()

    with pytest.raises(TimeoutError):
        asyncio.run(plain())


@pytest.mark.parametrize(
    "first_bytes",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\xff\xff",
        b"\x10\xff\xff\xff\x7f",
        b"\x30\x02\x00\x00",
        b"\x10\x00",
        b"\x10\x05\x00\x04MQT",
    ],
)
def test_what_is_no_connect_is_turned_away(amqtt, first_bytes):
    assert answer(amqtt.address.port, first_bytes) in (b"", WRONG_PROTOCOL_LEVEL)


def test_length_that_is_announced_is_not_waited_for(amqtt):
    length = MAX_PACKET_BYTES
    varint = bytes((length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14))
    packet = connect_packet(4, b"greedy") + b"\x30" + varint
    assert answer(amqtt.address.port, packet) == b"\x20\x02\x00\x00"


def test_random_bytes_harm_nobody_else(amqtt):
    port = amqtt.address.port
    source = random.Random(20240607)
    with TestClient("bystander").connect(port) as bystander:
        bystander.subscribe("t")
        for n in range(300):
            noise = source.randbytes(source.randrange(60))
            if n % 2:
                noise = connect_packet(4, b"noise") + noise
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(noise)
        bystander.publish("t", b"alive")
        assert bystander.receive().payload == b"alive"


def test_topic_that_is_not_utf_8_harms_nobody_else(amqtt):
    port = amqtt.address.port
    with TestClient("bystander").connect(port) as bystander:
        bystander.subscribe("#")
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(connect_packet(4, b"rude") + b"\x30\x05\x00\x02\xff\xfex")
        bystander.drain()
        bystander.publish("t", b"alive")
        assert bystander.receive().payload == b"alive"
