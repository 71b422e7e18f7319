"""An operator's connection to the broker: short-lived, without reconnecting, every wait bounded."""

import queue
import secrets
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from broker.adapters.tls import tls_context
from broker.errors import LinkError
from broker.fleet.broker_address import BrokerAddress

TIMEOUT_S = 5.0
QUIET_S = 0.2
"""After the fence, for brokers that send what is retained a little later than they acknowledge."""

KEEP_ALIVE_S = 30
REFUSED = 0x80
Message = tuple[str, bytes]


class OperatorLink:
    """A connected client; leaving the context disconnects."""

    def __init__(self, address: BrokerAddress) -> None:
        """Connect.

        Raises:
            ConfigError: a certificate or key file cannot be used.
            LinkError: the broker cannot be reached, or refuses.
        """
        self._address = address
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._connected: queue.Queue[str] = queue.Queue()
        self._subscribed: queue.Queue[list[int]] = queue.Queue()
        self._lost: str | None = None
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            f"selvedge-operator-{secrets.token_hex(6)}",
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.connect_timeout = TIMEOUT_S
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._secure()
        self._connect()

    def retained(self, filters: Sequence[str]) -> Iterator[Message]:
        """Subscribe, and yield what is retained; what comes later is left for `receive`.

        QoS 0, for then the broker sends all of it ahead of the acknowledgement of a second
        subscription, the fence.

        Raises:
            LinkError: the connection is lost, or the broker does not let this client read.
        """
        self._subscribe(filters)
        self._subscribe([f"{self._address.topics.prefix}/fence"])
        while (message := self.receive(QUIET_S)) is not None:
            yield message

    def receive(self, timeout_s: float) -> Message | None:
        """Return the next message, or None if none comes in time.

        Raises:
            LinkError: the connection is lost.
        """
        try:
            message = self._messages.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None
        if message is None:
            raise self._lost_error()
        return message

    def publish_retained(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1, retained, and wait for the acknowledgement.

        Raises:
            LinkError: there is none.
        """
        publication = self._client.publish(topic, payload, qos=1, retain=True)
        try:
            publication.wait_for_publish(TIMEOUT_S)
        except (RuntimeError, ValueError):
            raise self._lost_error() from None
        if not publication.is_published():
            raise LinkError(f"{self._address} does not acknowledge {topic}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _secure(self) -> None:
        context = tls_context(self._address)
        if context is not None:
            self._client.tls_set_context(context)

    def _connect(self) -> None:
        address = self._address
        try:
            self._client.connect(address.host, address.port, KEEP_ALIVE_S)
        except OSError as error:
            reason = getattr(error, "verify_message", None) or error.strerror or error
            raise LinkError(f"{address} cannot be reached: {reason}") from error
        self._client.loop_start()
        try:
            answer = self._connected.get(timeout=TIMEOUT_S)
        except queue.Empty:
            answer = "it does not answer"
        if answer != "Success":
            self._client.loop_stop()
            raise LinkError(f"{address} does not let us in: {answer}")

    def _subscribe(self, filters: Sequence[str]) -> None:
        self._client.subscribe([(text, 0) for text in filters])
        deadline = time.monotonic() + TIMEOUT_S
        while self._lost is None and time.monotonic() < deadline:
            try:
                codes = self._subscribed.get(timeout=QUIET_S)
            except queue.Empty:
                continue
            if any(code >= REFUSED for code in codes):
                raise LinkError(f"{self._address} does not let us read {', '.join(filters)}")
            return
        raise self._lost_error()

    def _lost_error(self) -> LinkError:
        return LinkError(f"{self._address} does not answer: {self._lost or 'no word in time'}")

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        self._connected.put(str(code))

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        self._lost = f"the connection ended ({code})"
        certificates = " (a certificate that it knows?)" if self._address.tls else ""
        self._connected.put(f"it ends the connection{certificates}")
        self._messages.put(None)

    def _on_subscribe(self, _client: Any, _data: Any, _id: Any, codes: Any, _more: Any) -> None:
        self._subscribed.put([code.value for code in codes])

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        self._messages.put((topic, bytes(message.payload)))
