"""The aggregator's link to the broker: reconnects for ever; messages in, publications out.

What comes in is acknowledged to the broker at once and to the device only when it is on the disk,
so a message that a crash swallows is sent again by its device. While the link is down nothing is
queued: with a new link everything that is retained is said again.
"""

import logging
import queue
import socket
import threading
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from broker.adapters.tls import tls_context
from broker.errors import LinkError
from broker.fleet.broker_address import BrokerAddress

log = logging.getLogger(__name__)

WAITING_MESSAGES = 256
"""At 64 kB each 16 MB; when they are full the socket is not read, and the broker waits."""

FIRST_ANSWER_S = 10.0
KEEP_ALIVE_S = 60
Message = tuple[str, bytes]
Up = None
"""What `receive` yields when a link is there anew."""


class Link:
    """A client that stays."""

    def __init__(self, address: BrokerAddress, filters: Sequence[str]) -> None:
        """Begin to connect; `filters` are subscribed to with every new link.

        Raises:
            ConfigError: a certificate or key file cannot be used.
            LinkError: there is no broker to begin with.
        """
        self._address, self._filters = address, list(filters)
        self._messages: queue.Queue[Message | None] = queue.Queue(WAITING_MESSAGES)
        self._connected, self._closing = threading.Event(), threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            f"selvedge-aggregator-{socket.gethostname()}",
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        context = tls_context(address)
        if context is not None:
            self._client.tls_set_context(context)
        try:
            self._client.connect(address.host, address.port, KEEP_ALIVE_S)
        except OSError as error:
            raise LinkError(f"{address} cannot be reached: {error.strerror or error}") from error
        self._client.loop_start()
        if not self._connected.wait(FIRST_ANSWER_S):
            self.close()
            raise LinkError(f"{address} does not let us in")

    def receive(self, timeout_s: float) -> list[Message | None]:
        """What has come, `Up` for a new link; waits for the first of it."""
        found: list[Message | None] = []
        try:
            found.append(self._messages.get(timeout=timeout_s))
            while len(found) < WAITING_MESSAGES:
                found.append(self._messages.get_nowait())
        except queue.Empty:
            pass
        return found

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish with QoS 1, if there is a link."""
        if self._connected.is_set():
            self._client.publish(topic, payload, qos=1, retain=retain)

    def subscribe(self, topic: str) -> None:
        """Subscribe until the link ends."""
        self._client.subscribe(topic, 1)

    def unsubscribe(self, topic: str) -> None:
        """Give up a subscription."""
        self._client.unsubscribe(topic)

    def close(self) -> None:
        """Say goodbye."""
        self._closing.set()
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Any, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        if code.is_failure:
            log.warning("%s does not let us in: %s", self._address, code)
            return
        client.subscribe([(name, 1) for name in self._filters])
        self._connected.set()
        self._put(Up)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        self._connected.clear()
        if not self._closing.is_set():
            log.warning("%s: the connection ended (%s)", self._address, code)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        self._put((topic, bytes(message.payload)))

    def _put(self, message: Message | None) -> None:
        while not self._closing.is_set():
            try:
                self._messages.put(message, timeout=0.5)
            except queue.Full:
                continue
            return
