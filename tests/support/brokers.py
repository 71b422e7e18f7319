"""Brokers for tests, and a plain client whose every event can be waited for.

A conftest loads the fixtures with `pytest_plugins = ["tests.support.brokers"]`, or imports them.
"""

import queue
import socket
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from broker.adapters import private_broker
from broker.adapters.private_broker import Engine, RunningBroker

ENGINES: tuple[Engine, ...] = ("mosquitto", "amqtt")
PATIENCE_S = 30.0
"""A busy machine is no fault; only what never comes takes so long."""
QUIET_S = 0.3


@pytest.fixture(params=ENGINES)
def broker(request: pytest.FixtureRequest) -> Iterator[RunningBroker]:
    """A private broker on a free port: the test runs once on each engine."""
    with private_broker.start(engine=request.param) as running:
        yield running


@pytest.fixture
def mosquitto() -> Iterator[RunningBroker]:
    """A private mosquitto on a free port."""
    with private_broker.start(engine="mosquitto") as running:
        yield running


@pytest.fixture
def amqtt() -> Iterator[RunningBroker]:
    """A private amqtt on a free port."""
    with private_broker.start(engine="amqtt") as running:
        yield running


class Received(NamedTuple):
    """One message as a client got it."""

    topic: str
    payload: bytes
    retained: bool
    qos: int


class TestClient:
    """A paho client with nothing clever in it: no reconnect, events in queues, bounded waits."""

    __test__ = False

    def __init__(
        self,
        client_id: str,
        *,
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
        will: tuple[str, bytes] | None = None,
        keepalive_s: int = 60,
        prepare: Callable[[mqtt.Client], object] = lambda _: None,
    ) -> None:
        """Prepare a client; `will` is a topic and a payload, sent QoS 1 and retained."""
        self._keepalive_s = keepalive_s
        self._messages: queue.Queue[Received] = queue.Queue()
        self._connected: queue.Queue[str] = queue.Queue()
        self._disconnected: queue.Queue[str] = queue.Queue()
        self._subscribed: queue.Queue[list[int]] = queue.Queue()
        self.paho = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=version, reconnect_on_failure=False
        )
        if will is not None:
            self.paho.will_set(*will, qos=1, retain=True)
        self.paho.on_connect = lambda _c, _u, _f, code, _p: self._connected.put(str(code))
        self.paho.on_disconnect = lambda _c, _u, _f, code, _p: self._disconnected.put(str(code))
        self.paho.on_subscribe = lambda _c, _u, _m, codes, _p: self._subscribed.put(
            [code.value for code in codes]
        )
        self.paho.on_message = lambda _c, _u, m: self._messages.put(
            Received(m.topic, m.payload, m.retain, m.qos)
        )
        prepare(self.paho)

    def connect(self, port: int, host: str = "127.0.0.1") -> "TestClient":
        """Connect and wait for the broker's word; anything but success fails the test."""
        self.paho.connect(host, port, keepalive=self._keepalive_s)
        self.paho.loop_start()
        assert self._connected.get(timeout=PATIENCE_S) == "Success"
        return self

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish and wait for the acknowledgement."""
        self.paho.publish(topic, payload, qos, retain).wait_for_publish(PATIENCE_S)

    def subscribe(self, *filters: str, qos: int = 1) -> list[int]:
        """Subscribe, wait for the acknowledgement, return its codes."""
        self.paho.subscribe([(text, qos) for text in filters])
        return self._subscribed.get(timeout=PATIENCE_S)

    def receive(self, timeout_s: float = PATIENCE_S) -> Received:
        """The next message; `queue.Empty` if none comes."""
        return self._messages.get(timeout=timeout_s)

    def drain(self, quiet_s: float = QUIET_S) -> list[Received]:
        """Every message until none came for `quiet_s`."""
        messages = []
        try:
            while True:
                messages.append(self._messages.get(timeout=quiet_s))
        except queue.Empty:
            return messages

    def wait_disconnect(self, timeout_s: float = PATIENCE_S) -> str:
        """Wait until the broker or the network ends the connection; return the reason."""
        return self._disconnected.get(timeout=timeout_s)

    def disconnect(self) -> None:
        """Take leave in order, so that the will is dropped."""
        self.paho.disconnect()
        self.paho.loop_stop()

    def die(self) -> None:
        """Close the socket without a word, as a crashed process does."""
        connection = self.paho.socket()
        assert connection is not None
        connection.shutdown(socket.SHUT_RDWR)
        self.paho.loop_stop()

    def __enter__(self) -> "TestClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()


def eventually(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> bool:
    """Tell whether `condition` comes true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
