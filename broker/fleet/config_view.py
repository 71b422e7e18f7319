"""What is known of a configuration: reported, desired, and the errors between them."""

from typing import Any

from broker.contract.channel import Channel
from broker.contract.errors import MessageError, TopicError
from broker.contract.messages import ReportedConfig, decode
from broker.contract.shape import to_tree
from broker.contract.topics import (
    DesiredChannel,
    FleetDesiredChannel,
    ReportedChannel,
    StatusChannel,
    Topics,
)
from broker.errors import ConfigError, LinkError
from broker.fleet.document import KeyPath, Tree, flatten, read_document, select, version_of
from broker.fleet.roster import Roster
from broker.fleet.text import printable, table, value_text

MISSING = "-"


class ConfigView:
    """Collects the retained configuration of one device, or of the fleet."""

    def __init__(self, topics: Topics, device: str | None) -> None:
        """Prepare; `device` None stands for the fleet."""
        self._topics = topics
        self._device = device
        self._roster = Roster(topics)
        self._desired: dict[str, Tree] = {"device": {}, "fleet": {}}
        self._reported: dict[str, ReportedConfig] = {}
        self._faults: dict[str, str] = {}

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        topics, mine = self._topics, {} if self._device is None else {"device": self._device}
        shared = [topics.filter(FleetDesiredChannel)]
        kinds: tuple[type[Channel], ...] = (ReportedChannel, StatusChannel)
        if self._device is not None:
            kinds = (DesiredChannel, *kinds)
        return [*shared, *(topics.filter(kind, **mine) for kind in kinds)]

    def receive(self, topic: str, payload: bytes) -> None:
        """Take one message; one that cannot be read is noted as a fault."""
        self._roster.receive(topic, payload)
        try:
            channel = self._topics.channel(topic)
            if isinstance(channel, ReportedChannel) and payload:
                self._reported[channel.device] = decode(ReportedConfig, payload)
            elif isinstance(channel, DesiredChannel):
                self._desired["device"] = read_document(payload)
            elif isinstance(channel, FleetDesiredChannel):
                self._desired["fleet"] = read_document(payload)
        except TopicError:
            return
        except MessageError as error:
            self._faults[topic] = str(error)

    def check_known(self) -> None:
        """Refuse a device of which the broker knows nothing.

        Raises:
            LinkError: there is neither a status nor a document of its own.
        """
        if self._device is None or self._faults or self._desired["device"]:
            return
        if self._device not in self._reported and self._roster.state(self._device) == "unknown":
            raise LinkError(f"this broker knows no device {self._device}; see 'selvedge devices'")

    def tree(self, key: KeyPath = ()) -> Tree:
        """Everything as plain JSON values, cut down to what stands at `key`.

        Raises:
            ConfigError: nothing does.
        """
        tree: Tree = {"desired": self._cut(self._desired[self._scope], key)}
        if self._device is None:
            reports = {name: to_tree(r) for name, r in sorted(self._reported.items())}
            return {**tree, "devices": reports, "faults": self._faults}
        reported = self._reported.get(self._device, ReportedConfig())
        tree |= {
            "device": self._device,
            "state": self._roster.state(self._device),
            "fleet_desired": self._cut(self._desired["fleet"], key),
            "reported": to_tree(reported) | {"applied": self._cut(reported.applied, key)},
            "faults": self._faults,
        }
        if key and all(
            value is None
            for value in (tree["desired"], tree["fleet_desired"], tree["reported"]["applied"])
        ):
            raise ConfigError(f"{self._device} has no key {'.'.join(key)}")
        return tree

    def text(self, key: KeyPath = ()) -> str:
        """The same for people.

        Raises:
            ConfigError: nothing stands at `key`.
        """
        lines = self._fleet_lines(key) if self._device is None else self._device_lines(key)
        faults = [f"unreadable: {topic}: {text}" for topic, text in sorted(self._faults.items())]
        return "\n".join((*lines, *(printable(line, 300) for line in faults)))

    @property
    def _scope(self) -> str:
        return "fleet" if self._device is None else "device"

    def _cut(self, tree: Any, key: KeyPath) -> Any:
        try:
            return select(tree, key)
        except KeyError:
            return None

    def _fleet_lines(self, key: KeyPath) -> list[str]:
        desired = self._desired["fleet"]
        wanted = version_of(desired)
        lines = [f"desired of the fleet, version {wanted}"]
        lines += [f"  {name} = {value}" for name, value in _leaves(self._cut(desired, key), key)]
        rows = [
            [name, self._roster.state(name), str(r.fleet_version or MISSING), str(len(r.errors))]
            for name, r in sorted(self._reported.items())
        ]
        return [*lines, table(("DEVICE", "STATE", "VERSION", "ERRORS"), rows)]

    def _device_lines(self, key: KeyPath) -> list[str]:
        tree = self.tree(key)
        reported = self._reported.get(self._device or "", ReportedConfig())
        versions = [
            f"{name} version {given or MISSING} of {version_of(self._desired[name]) or MISSING}"
            for name, given in (("device", reported.version), ("fleet", reported.fleet_version))
        ]
        lines = [f"{self._device} is {tree['state']}; applied: {', '.join(versions)}"]
        wanted = dict(_leaves(tree["fleet_desired"], key)) | dict(_leaves(tree["desired"], key))
        applied = dict(_leaves(tree["reported"]["applied"], key))
        for name in {**applied, **wanted}:
            differs = name in wanted and wanted[name] != applied.get(name)
            hint = f"   (desired: {wanted[name]})" if differs else ""
            lines.append(f"  {name} = {applied.get(name, MISSING)}{hint}")
        lines += [f"  refused: {printable(k)}: {printable(v, 400)}" for k, v in _errors(reported)]
        return lines


def _leaves(tree: Any, key: KeyPath) -> list[tuple[str, str]]:
    if tree is None:
        return []
    pairs = flatten(tree, key)
    return [(printable(name, 200), value_text(value)) for name, value in pairs if name != "version"]


def _errors(reported: ReportedConfig) -> list[tuple[str, str]]:
    return sorted(reported.errors.items())
