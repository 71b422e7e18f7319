"""The link to the broker: paho-mqtt on threads of its own, events out, publications in.

Reconnecting is ours, because paho's own back-off has no jitter; what paho keeps is the window of
unacknowledged publications, which it sends again on the next connection.
"""

import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.adapters.credentials import credential
from agent.adapters.wakeup import wake_without_network
from agent.config.device import BrokerConfig
from agent.control.backoff import Backoff
from agent.control.events import (
    Delivered,
    LinkDown,
    LinkEvent,
    LinkUp,
    Publish,
    Received,
    Taken,
)
from agent.errors import ConfigError

log = logging.getLogger(__name__)

Notify = Callable[[LinkEvent], None]

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 5.0
"""A broker that does not know MQTT 5 may keep silent; then 3.1.1 is tried."""

STEADY_S = 10.0
"""A connection that lasted so long was a good one: the back-off begins anew."""

MAX_PACKET_BYTES = 320 * 1024
"""The largest message of the contract, 256 kB, with its topic and headers."""

SESSION_TAKEN_OVER = 0x8E
UNSUPPORTED_PROTOCOL = 0x84
CERT_NOT_YET_VALID = 9
"""X509_V_ERR_CERT_NOT_YET_VALID of OpenSSL: what a Pi finds that starts in 1970."""

EARLY_ATTEMPT = 2
"""The clock may be set any moment, a fleet's not in the same one: at most 8 s."""

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


class MqttLink:
    """One client of one broker, for the life of the agent."""

    def __init__(
        self,
        config: BrokerConfig,
        client_id: str,
        will: Publish,
        notify: Notify,
        backoff: Backoff | None = None,
    ) -> None:
        """Prepare the link.

        Args:
            notify: called on the link's threads; it must only queue.

        Raises:
            ConfigError: a certificate, key or password file cannot be read.
        """
        self._config = config
        self._client_id = client_id
        self._will = will
        self._notify = notify
        self._backoff = backoff or Backoff()
        self._protocol = mqtt.MQTTv311 if config.protocol == "3.1.1" else MQTTProtocolVersion.MQTTv5
        self._sent: dict[int, Publish] = {}
        self._answered: dict[int, str | None] = {}
        self._sent_lock = threading.Lock()
        self._lost = threading.Event()
        self._stopping = threading.Event()
        self._accepted = self._ever_accepted = self._is_too_early = False
        self._reason = ""
        self._client = self._new_client()
        self._thread = threading.Thread(target=self._run, name="mqtt-link", daemon=True)
        self.alive_at = time.monotonic()

    def start(self) -> None:
        """Begin to connect, and to reconnect, until stopped."""
        self._thread.start()

    def publish(self, message: Publish) -> None:
        """Send with QoS 1; while the link is down only rows of the outbox are kept.

        paho calls `_on_publish` with its own lock held, so ours must not be held across a call
        into paho; the acknowledgement may then be here before the message's id is noted.
        """
        info = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        if info.rc == mqtt.MQTT_ERR_QUEUE_SIZE:
            return  # its id is still in use by a message of 65,535 publications ago
        with self._sent_lock:
            if info.mid not in self._answered:
                self._sent[info.mid] = message
                return
            refused = self._answered.pop(info.mid)
        self._answer(message, refused)

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Ask for topics with QoS 1."""
        self._client.subscribe([(name, 1) for name in filters])

    def unsubscribe(self, filters: tuple[str, ...]) -> None:
        """Give up topics."""
        self._client.unsubscribe(list(filters))

    def stop(self, flush_s: float) -> None:
        """Wait a little for what is on its way, then say goodbye to the broker."""
        give_up_at = time.monotonic() + flush_s
        while self._client.is_connected() and self._unsent() and time.monotonic() < give_up_at:
            time.sleep(0.01)
        self._stopping.set()
        self._client.disconnect()
        self._lost.set()
        self._thread.join(timeout=flush_s + 1)

    def _unsent(self) -> bool:
        return bool(self._client._out_messages)

    def _new_client(self) -> mqtt.Client:
        wake_without_network()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=self._protocol,
            clean_session=None if self._protocol == MQTTProtocolVersion.MQTTv5 else True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(1000)
        client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
        self._secure(client)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _secure(self, client: mqtt.Client) -> None:
        config = self._config
        scheme, _, _ = self._address()
        try:
            if secret := credential(config.password_file):
                password = Path(secret).read_text(encoding="utf-8").rstrip("\n")
                client.username_pw_set(config.username or "", password)
            elif config.username is not None:
                client.username_pw_set(config.username)
            if scheme == "mqtts":
                cert, key = credential(config.cert), credential(config.key)
                client.tls_set(credential(config.ca), cert, key)
        except (OSError, ValueError, ssl.SSLError) as error:
            raise ConfigError(
                f"broker: cannot use its certificates or password file: {error}"
            ) from None

    def _address(self) -> tuple[str, str, int]:
        try:
            url = urlsplit(self._config.url)
            port = url.port or DEFAULT_PORTS[url.scheme]
        except ValueError as error:
            raise ConfigError(f"broker.url {self._config.url}: {error}") from None
        return url.scheme, url.hostname or "localhost", port

    def _run(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            self._accepted, self._is_too_early, self._reason = False, False, ""
            self._lost.clear()
            began_at = time.monotonic()
            self._connect_once()
            self.alive_at = time.monotonic()
            if self._stopping.is_set():
                return
            self._notify(LinkDown(self._reason or "the connection was closed"))
            if self._accepted and time.monotonic() - began_at > STEADY_S:
                attempt = 0
            if self._is_too_early:
                attempt = min(attempt, EARLY_ATTEMPT)
            wait_s = self._backoff.wait_s(attempt, random.random)
            log.debug("next attempt in %.1f s", wait_s)
            attempt += 1
            self._stopping.wait(wait_s)

    def _connect_once(self) -> None:
        _, host, port = self._address()
        properties = None
        if self._protocol == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = MAX_PACKET_BYTES
        clean = (
            True
            if self._protocol == MQTTProtocolVersion.MQTTv5
            else mqtt.MQTT_CLEAN_START_FIRST_ONLY
        )
        try:
            self._client.connect(
                host, port, self._config.keepalive_s, clean_start=clean, properties=properties
            )
        except ssl.SSLCertVerificationError as error:
            self._is_too_early = error.verify_code == CERT_NOT_YET_VALID
            waits = "; waiting for the clock to be set" if self._is_too_early else ""
            self._reason = f"{host}:{port}: certificate refused: {error.verify_message}{waits}"
            return
        except (OSError, ValueError, ssl.SSLError) as error:
            self._reason = f"{host}:{port}: {error}"
            return
        self._client.loop_start()
        answered_by = time.monotonic() + ANSWER_TIMEOUT_S
        while not self._lost.wait(1.0):
            self.alive_at = time.monotonic()
            if not self._accepted and self.alive_at > answered_by:
                self._reason = f"{host}:{port}: no answer to CONNECT"
                break
        self._client.disconnect()
        self._client.loop_stop()
        self._fall_back()

    def _fall_back(self) -> None:
        """Until a broker has accepted one of the two protocols, try them in turn."""
        if self._ever_accepted or self._config.protocol != "auto":
            return
        with_5 = self._protocol == MQTTProtocolVersion.MQTTv5
        self._protocol = MQTTProtocolVersion.MQTTv311 if with_5 else MQTTProtocolVersion.MQTTv5
        self._client = self._new_client()

    def _on_connect(
        self, _: mqtt.Client, __: object, ___: object, code: ReasonCode, ____: object
    ) -> None:
        if code.is_failure:
            self._reason = f"the broker refused the connection: {code}"
            self._lost.set()
            return
        self._accepted = self._ever_accepted = True
        self._notify(LinkUp())

    def _on_disconnect(
        self, _: mqtt.Client, __: object, ___: object, code: ReasonCode, ____: object
    ) -> None:
        self._reason = self._reason or str(code)
        if self._protocol == MQTTProtocolVersion.MQTTv5 and code.value == SESSION_TAKEN_OVER:
            self._stopping.set()
            self._notify(LinkDown("the client id was taken over", taken_over=True))
        self._lost.set()

    def _on_message(self, _: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        self.alive_at = time.monotonic()
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._notify(Received(topic, bytes(message.payload), bool(message.retain)))

    def _on_publish(
        self, _: mqtt.Client, __: object, mid: int, code: ReasonCode, ___: object
    ) -> None:
        self.alive_at = time.monotonic()
        refused = str(code) if code.is_failure else None
        with self._sent_lock:
            if mid not in self._sent:
                self._answered[mid] = refused
                return
            message = self._sent.pop(mid)
        self._answer(message, refused)

    def _answer(self, message: Publish, refused: str | None) -> None:
        if message.row_id is not None:
            self._notify(Delivered(message.row_id, refused))
        if message.receipt is not None:
            self._notify(Taken(message.receipt, refused))
