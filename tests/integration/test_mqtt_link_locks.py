"""Acknowledgements that come from paho's thread while the agent's thread publishes."""

import threading
from types import SimpleNamespace

import paho.mqtt.client as mqtt
import pytest

from agent.adapters.mqtt_link import MqttLink
from agent.config.device import BrokerConfig
from agent.control.events import Delivered, Publish

WILL = Publish("selvedge/v1/devices/d/status", b"{}", retain=True)
SUCCESS = mqtt.ReasonCode(mqtt.PacketTypes.PUBACK, "Success")


class PahoThatAnswersAtOnce:
    """Publishes under its own lock, and calls back from another thread under the same lock."""

    def __init__(self, link: MqttLink) -> None:
        self._link = link
        self._lock = threading.RLock()
        self._mid = 0
        self.threads: list[threading.Thread] = []

    def publish(self, *_: object, **__: object) -> SimpleNamespace:
        entered = threading.Event()
        mid = self._mid = self._mid + 1

        def network() -> None:
            with self._lock:
                entered.set()
                self._link._on_publish(self, None, mid, SUCCESS, None)

        thread = threading.Thread(target=network, daemon=True)
        self.threads.append(thread)
        thread.start()
        entered.wait()
        with self._lock:  # as paho's publish does, while the callback may hold it
            return SimpleNamespace(mid=mid, rc=mqtt.MQTT_ERR_SUCCESS)


def test_an_acknowledgement_during_publish_neither_deadlocks_nor_gets_lost() -> None:
    events: list[object] = []
    link = MqttLink(BrokerConfig(), "client", WILL, events.append)
    paho = PahoThatAnswersAtOnce(link)
    link._client = paho

    def work() -> None:
        for row_id in range(50):
            link.publish(Publish("t", b"x", retain=False, row_id=row_id))
            link.publish(Publish("t", b"x", retain=True))

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(timeout=20)
    assert not worker.is_alive(), "publish and acknowledgement wait for each other"
    for thread in paho.threads:
        thread.join(timeout=5)
    assert sorted(event.row_id for event in events) == list(range(50))
    assert not link._sent
    assert not link._answered


@pytest.mark.parametrize("early", [True, False])
def test_a_message_that_paho_could_not_take_is_never_taken_for_delivered(early: bool) -> None:
    events: list[object] = []
    link = MqttLink(BrokerConfig(), "client", WILL, events.append)
    answers = [(7, mqtt.MQTT_ERR_SUCCESS), (7, mqtt.MQTT_ERR_QUEUE_SIZE)]

    class Paho:
        def publish(self, *_: object, **__: object) -> SimpleNamespace:
            mid, rc = answers.pop(0)
            return SimpleNamespace(mid=mid, rc=rc)

    link._client = Paho()
    link.publish(Publish("t", b"x", retain=False, row_id=1))
    if early:
        link._on_publish(None, None, 7, SUCCESS, None)
    link.publish(Publish("t", b"x", retain=False, row_id=2))
    if not early:
        link._on_publish(None, None, 7, SUCCESS, None)
    assert events == [Delivered(1)]


def test_a_refusal_is_not_taken_for_a_delivery() -> None:
    events: list[object] = []
    link = MqttLink(BrokerConfig(), "client", WILL, events.append)

    class Paho:
        def publish(self, *_: object, **__: object) -> SimpleNamespace:
            return SimpleNamespace(mid=7, rc=mqtt.MQTT_ERR_SUCCESS)

    link._client = Paho()
    link.publish(Publish("t", b"x", retain=False, row_id=1))
    denied = mqtt.ReasonCode(mqtt.PacketTypes.PUBACK, "Not authorized")
    link._on_publish(None, None, 7, denied, None)
    assert events == [Delivered(1, refused="Not authorized")]
    nobody = mqtt.ReasonCode(mqtt.PacketTypes.PUBACK, "No matching subscribers")
    link.publish(Publish("t", b"x", retain=False, row_id=2))
    link._on_publish(None, None, 7, nobody, None)
    assert events[1:] == [Delivered(2)]
