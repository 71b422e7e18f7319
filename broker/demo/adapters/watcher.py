"""The demo's own MQTT client: it listens to every device and asks for changes."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from broker.adapters.listen_address import ListenAddress
from broker.contract.codec import encode_json
from broker.contract.errors import ContractError
from broker.contract.federated.channels import JobStatusChannel
from broker.contract.federated.round import JobStatus
from broker.contract.messages import Metrics, ReportedConfig, Result, Status, decode
from broker.contract.topics import (
    CHANNELS,
    FleetDesiredChannel,
    MetricsChannel,
    ReportedChannel,
    ResultsChannel,
    StatusChannel,
    Topics,
)
from broker.demo.recipe import JOB
from broker.demo.tally import Stream, Tally
from broker.errors import LinkError

RETRY_S = 0.01
CONNECT_TIMEOUT_S = 10.0
POLL_S = 0.02
KINDS = tuple(
    kind for kind in CHANNELS if kind.retained or kind in (ResultsChannel, MetricsChannel)
)
"""What is listened to: what is counted, and what stays in a broker, so that it can be cleared."""


class Watcher:
    """Collects what devices say into a `Tally`."""

    def __init__(self, address: ListenAddress, topics: Topics, tally: Tally) -> None:
        self._address = address
        self._topics = topics
        self._tally = tally
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self.status: dict[str, Status] = {}
        self.reported: dict[str, ReportedConfig] = {}
        self.job: JobStatus | None = None
        self._left: set[str] = set()
        self._client = self._new_client()

    def connect(self) -> None:
        """Connect, and return once the broker has taken the subscriptions.

        Raises:
            LinkError: no broker answers.
        """
        self._ready.clear()
        give_up_at = time.monotonic() + CONNECT_TIMEOUT_S
        while True:
            try:
                self._client.connect(self._address.host, self._address.port, keepalive=10)
                break
            except OSError as error:
                if time.monotonic() > give_up_at:
                    raise LinkError(f"{self._address.url}: {error}") from None
                time.sleep(RETRY_S)
        self._client.loop_start()
        if not self._ready.wait(CONNECT_TIMEOUT_S):
            raise LinkError(f"{self._address.url}: the broker does not answer")

    def leave(self) -> None:
        """Disconnect; `connect` may be called again."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client = self._new_client()

    def desire(self, document: dict[str, Any]) -> None:
        """Publish what the whole fleet should be configured to."""
        topic = self._topics.topic(FleetDesiredChannel())
        self._client.publish(topic, encode_json(document), qos=1, retain=True)

    def runs(self, device: str, pipelines: Iterable[str]) -> bool:
        """Whether a device says that all of these pipelines run."""
        status = self.status.get(device)
        found = {} if status is None else status.pipelines
        return all(name in found and found[name].state == "running" for name in pipelines)

    @property
    def left(self) -> int:
        """How many messages are retained under the demo's topics."""
        return len(self._left)

    def forget(self) -> None:
        """Clear all that is retained under the demo's topics, in a broker that goes on.

        A broker that is gone is passed over: why is told by what was cut short.
        """
        with self._changed:
            left = sorted(self._left)
        cleared = [self._client.publish(topic, b"", qos=1, retain=True) for topic in left]
        with suppress(RuntimeError):
            for each in cleared:
                each.wait_for_publish(CONNECT_TIMEOUT_S)

    def wait_until(
        self, condition: Callable[[], bool], timeout_s: float, idle: Callable[[], None]
    ) -> bool:
        """Wait for a condition over what was collected; tell whether it came true.

        Args:
            idle: called every now and then; it may raise to end the wait.
        """
        give_up_at = time.monotonic() + timeout_s
        with self._changed:
            while not condition():
                if time.monotonic() > give_up_at:
                    return False
                idle()
                self._changed.wait(POLL_S)
        return True

    @contextmanager
    def still(self) -> Iterator[None]:
        """Let nothing more be counted meanwhile."""
        with self._changed:
            yield

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="selvedge-demo", reconnect_on_failure=False
        )
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([(self._topics.filter(kind), 1) for kind in KINDS])

    def _on_message(self, _: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            try:
                self._take(message.topic, bytes(message.payload))
            except ContractError:
                return
            self._changed.notify_all()

    def _take(self, topic: str, payload: bytes) -> None:
        channel = self._topics.channel(topic)
        if channel.retained:
            (self._left.add if payload else self._left.discard)(topic)
        match channel:
            case ResultsChannel(device, pipeline) if (device, pipeline) in self._tally.truth:
                self._tally.add(Stream(device, pipeline), decode(Result, payload))
            case MetricsChannel(device=device) if device in self._tally.devices:
                self._tally.measure(device, decode(Metrics, payload))
            case StatusChannel(device=device) if device in self._tally.devices and payload:
                self.status[device] = decode(Status, payload)
            case ReportedChannel(device=device) if device in self._tally.devices and payload:
                self.reported[device] = decode(ReportedConfig, payload)
            case JobStatusChannel(job) if job == JOB and payload:
                self.job = decode(JobStatus, payload)
