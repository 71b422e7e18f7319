"""Topics as typed values, with three verbs: topic of a channel, channel of a topic, filter.

A channel is a frozen dataclass whose fields are the variable levels of its topic.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import ClassVar

from broker.contract.errors import TopicError
from broker.contract.shape.constraints import shorten

NAME = r"[a-z0-9_-]{1,64}"
DEFAULT_PREFIX = "selvedge/v1"
PREFIX = r"[a-z0-9_-]{1,32}(?:/[a-z0-9_-]{1,32}){0,3}"


@dataclass(frozen=True)
class Channel:
    """One place in the contract; subclasses fix `pattern`, who writes it, and whether it stays."""

    pattern: ClassVar[str]
    retained: ClassVar[bool]
    writer: ClassVar[str]


@dataclass(frozen=True)
class StatusChannel(Channel):
    """Whether a device is there, and what it runs; also its will."""

    pattern = "devices/{device}/status"
    retained = True
    writer = "device"
    device: str


@dataclass(frozen=True)
class DesiredChannel(Channel):
    """Configuration that an operator wants on one device, merged over the fleet's."""

    pattern = "devices/{device}/config/desired"
    retained = True
    writer = "operator"
    device: str


@dataclass(frozen=True)
class FleetDesiredChannel(Channel):
    """Configuration that an operator wants on every device."""

    pattern = "fleet/config/desired"
    retained = True
    writer = "operator"


@dataclass(frozen=True)
class ReportedChannel(Channel):
    """Configuration that a device runs, and why it refused what it refused."""

    pattern = "devices/{device}/config/reported"
    retained = True
    writer = "device"
    device: str


@dataclass(frozen=True)
class SchemaChannel(Channel):
    """JSON Schema of what can be set on a device."""

    pattern = "devices/{device}/config/schema"
    retained = True
    writer = "device"
    device: str


@dataclass(frozen=True)
class ResultsChannel(Channel):
    """Answers of one pipeline."""

    pattern = "devices/{device}/results/{pipeline}"
    retained = False
    writer = "device"
    device: str
    pipeline: str


@dataclass(frozen=True)
class MetricsChannel(Channel):
    """Numbers about the device's health."""

    pattern = "devices/{device}/metrics"
    retained = False
    writer = "device"
    device: str


@dataclass(frozen=True)
class CommandChannel(Channel):
    """One command as a retained state machine; its requester clears it."""

    pattern = "devices/{device}/cmd/{op}/{id}"
    retained = True
    writer = "both"
    device: str
    op: str
    id: str


CHANNELS: tuple[type[Channel], ...] = (
    StatusChannel,
    DesiredChannel,
    FleetDesiredChannel,
    ReportedChannel,
    SchemaChannel,
    ResultsChannel,
    MetricsChannel,
    CommandChannel,
)


def is_name(text: str) -> bool:
    """Tell whether `text` may be a device, pipeline, command or id: `[a-z0-9_-]{1,64}`."""
    return re.fullmatch(NAME, text) is not None


@dataclass(frozen=True)
class Topics:
    """The contract's topics under one prefix."""

    prefix: str = DEFAULT_PREFIX

    def __post_init__(self) -> None:
        if not re.fullmatch(PREFIX, self.prefix):
            raise TopicError(
                f"prefix {shorten(self.prefix)} is refused: use one to four levels of [a-z0-9_-]"
            )

    def topic(self, channel: Channel) -> str:
        """Return the topic of a channel.

        Raises:
            TopicError: a field is not a name, for instance a wildcard.
        """
        levels = _levels(channel)
        for field, value in levels.items():
            if not is_name(value):
                raise TopicError(f"{field} {shorten(value)} is refused: use 1 to 64 of a-z 0-9 _ -")
        return f"{self.prefix}/{channel.pattern.format(**levels)}"

    def channel(self, topic: str) -> Channel:
        """Return the channel of a topic.

        Raises:
            TopicError: the topic is not in the contract.
        """
        prefix = f"{self.prefix}/"
        if topic.startswith(prefix):
            for kind in CHANNELS:
                if match := re.fullmatch(_regex(kind), topic[len(prefix) :]):
                    return kind(**match.groupdict())
        raise TopicError(f"topic {shorten(topic, 120)} is not in the contract")

    def filter(self, kind: type[Channel], **levels: str) -> str:
        """Return the subscription for one kind of channel; levels not given become `+`.

        Raises:
            TopicError: a given level is not a name, or not one of this channel.
        """
        known = [field.name for field in dataclasses.fields(kind)]
        if strange := levels.keys() - set(known):
            raise TopicError(f"{kind.pattern} has no level {', '.join(sorted(strange))}")
        wanted = {name: levels.get(name, "+") for name in known}
        for field, value in wanted.items():
            if value != "+" and not is_name(value):
                raise TopicError(f"{field} {shorten(value)} is refused in a filter")
        return f"{self.prefix}/{kind.pattern.format(**wanted)}"


def _levels(channel: Channel) -> dict[str, str]:
    return {field.name: getattr(channel, field.name) for field in dataclasses.fields(channel)}


def _regex(kind: type[Channel]) -> str:
    return re.sub(r"{(\w+)}", rf"(?P<\1>{NAME})", kind.pattern)
