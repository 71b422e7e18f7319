"""A change of configuration as a state machine: messages in, documents to publish out.

Nobody holds a lock on a retained document. What makes concurrent changes safe is that the broker
puts all publications into one order, which every operator sees: whoever hides another's document,
or finds the own change hidden, makes the change again over what is there.
"""

from collections.abc import Sequence

from broker.contract.codec import MAX_JSON_BYTES, decode_json, encode_json
from broker.contract.errors import MessageError, TopicError
from broker.contract.messages import ReportedConfig, decode
from broker.contract.topics import (
    DesiredChannel,
    FleetDesiredChannel,
    ReportedChannel,
    StatusChannel,
    Topics,
)
from broker.errors import ConfigError
from broker.fleet.document import (
    Change,
    Tree,
    apply_changes,
    overlap,
    read_document,
    select,
    version_of,
)
from broker.fleet.roster import Roster


class ConfigChange:
    """Changes the desired document of one device, or of the fleet, and follows what becomes of it.

    First every retained message is given to `receive`, then `publication` tells what to publish,
    and again whenever `overtaken`, until `answered`.

    Attributes:
        topic: where to publish.
        version: of the document that holds the change.
        document: that document.
    """

    def __init__(self, topics: Topics, device: str | None, changes: Sequence[Change]) -> None:
        """Prepare; `device` None stands for the fleet."""
        self._topics = topics
        self._device = device
        self._changes = changes
        self._base = b""
        self._published: list[bytes] = []
        self._settled = self._overtaken = False
        self._roster = Roster(topics)
        self._reported: dict[str, ReportedConfig] = {}
        self.version = 0
        self.document: Tree = {}
        channel = FleetDesiredChannel() if device is None else DesiredChannel(device)
        self.topic = topics.topic(channel)

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        levels = {} if self._device is None else {"device": self._device}
        kinds = (StatusChannel, ReportedChannel)
        return [self.topic, *(self._topics.filter(kind, **levels) for kind in kinds)]

    def receive(self, topic: str, payload: bytes) -> None:
        """Take one message; what is not understood is passed over."""
        if topic == self.topic:
            self._receive_desired(payload)
        else:
            self._roster.receive(topic, payload)
            self._receive_reported(topic, payload)

    def publication(self, *, reset: bool = False) -> bytes:
        """Return the document to publish; with `reset` it is made from an empty one.

        Raises:
            ConfigError: what is there is no document, or does not go with the change.
        """
        try:
            document = {} if reset else read_document(self._base)
        except MessageError as error:
            raise ConfigError(
                f"{self.topic} holds no document ({error}); --reset starts from an empty one"
            ) from error
        self.version = 1 + max(self.version, version_of(document), self._reported_version())
        self.document = apply_changes(document, self._changes, self.version)
        self._published.append(_encoded(self.document))
        self._settled = self._overtaken = False
        return self._published[-1]

    @property
    def overtaken(self) -> bool:
        """Whether another's document hides the change, or is hidden by it."""
        return self._overtaken

    @property
    def in_place(self) -> bool:
        """Whether the broker has put the change where everybody sees it."""
        return self._settled and not self._overtaken

    @property
    def awaited(self) -> set[str]:
        """Devices whose answer is still missing: the one, or all of the fleet that are online."""
        devices = self._roster.online if self._device is None else {self._device}
        return {device for device in devices if not self._has_answered(device)}

    @property
    def answered(self) -> bool:
        """Whether the document is in place and every awaited device has reported on it."""
        return self.in_place and not self.awaited

    @property
    def answers(self) -> dict[str, ReportedConfig]:
        """Reports of the devices that have dealt with the document."""
        return {
            device: reported
            for device, reported in sorted(self._reported.items())
            if self._has_answered(device)
        }

    def state(self, device: str) -> str:
        """What is known of a device, in one word."""
        return self._roster.state(device)

    def refused(self, reported: ReportedConfig) -> dict[str, str]:
        """Of a device's errors those that this change is to blame for."""
        whole = f"{'fleet' if self._device is None else 'device'} document"
        return {
            key: reason
            for key, reason in reported.errors.items()
            if key == whole
            or any(overlap(change.path, tuple(key.split("."))) for change in self._changes)
        }

    def _receive_desired(self, payload: bytes) -> None:
        if payload in self._published:
            self._settled = self._settled or payload == self._published[-1]
            return
        self._base = payload
        if not self._published:
            return
        self._overtaken = not (self._settled and self._holds_change(payload))

    def _holds_change(self, payload: bytes) -> bool:
        try:
            document = read_document(payload)
        except MessageError:
            return False
        if any(not _holds(document, change) for change in self._changes):
            return False
        self.version, self.document = max(self.version, version_of(document)), document
        return True

    def _receive_reported(self, topic: str, payload: bytes) -> None:
        try:
            channel = self._topics.channel(topic)
            if isinstance(channel, ReportedChannel):
                self._reported[channel.device] = decode(ReportedConfig, payload)
        except (TopicError, MessageError):
            return

    def _reported_version(self) -> int:
        versions = (self._version_in(reported) for reported in self._reported.values())
        return max((version for version in versions if version < 2**53 - 1), default=0)

    def _version_in(self, reported: ReportedConfig) -> int:
        version = reported.fleet_version if self._device is None else reported.version
        return version or 0

    def _has_answered(self, device: str) -> bool:
        reported = self._reported.get(device)
        return reported is not None and self._version_in(reported) >= self.version


def _holds(document: Tree, change: Change) -> bool:
    try:
        value = select(document, change.path)
    except KeyError:
        return change.remove
    return not change.remove and encode_json(value) == encode_json(change.value)


def _encoded(document: Tree) -> bytes:
    try:
        payload = encode_json(document)
        decode_json(payload)
    except MessageError as error:
        raise ConfigError(
            f"the document would not be taken: {error}; {MAX_JSON_BYTES} bytes are the bound"
        ) from error
    return payload
