"""Topics as typed values, with three verbs: topic of a channel, channel of a topic, filter.

A channel is a frozen dataclass whose fields are the variable levels of its topic: names, or
numbers in plain decimal.
"""

import dataclasses
import re
from dataclasses import dataclass

from broker.contract.channel import NAME, Channel
from broker.contract.errors import TopicError
from broker.contract.federated.channels import FEDERATED_CHANNELS
from broker.contract.shape.constraints import shorten

NUMBER = r"0|[1-9][0-9]{0,8}"
DEFAULT_PREFIX = "selvedge/v1"
PREFIX = r"[a-z0-9_-]{1,32}(?:/[a-z0-9_-]{1,32}){0,3}"


@dataclass(frozen=True)
class StatusChannel(Channel):
    """Whether a device is there, and what it runs; also its will."""

    pattern = "devices/{device}/status"
    retained = True
    writers = ("device",)
    device: str


@dataclass(frozen=True)
class DesiredChannel(Channel):
    """Configuration that an operator wants on one device, merged over the fleet's."""

    pattern = "devices/{device}/config/desired"
    retained = True
    writers = ("operator",)
    device: str


@dataclass(frozen=True)
class FleetDesiredChannel(Channel):
    """Configuration that an operator wants on every device."""

    pattern = "fleet/config/desired"
    retained = True
    writers = ("operator",)


@dataclass(frozen=True)
class ReportedChannel(Channel):
    """Configuration that a device runs, and why it refused what it refused."""

    pattern = "devices/{device}/config/reported"
    retained = True
    writers = ("device",)
    device: str


@dataclass(frozen=True)
class SchemaChannel(Channel):
    """JSON Schema of what can be set on a device."""

    pattern = "devices/{device}/config/schema"
    retained = True
    writers = ("device",)
    device: str


@dataclass(frozen=True)
class ResultsChannel(Channel):
    """Answers of one pipeline."""

    pattern = "devices/{device}/results/{pipeline}"
    retained = False
    writers = ("device",)
    device: str
    pipeline: str


@dataclass(frozen=True)
class MetricsChannel(Channel):
    """Numbers about the device's health."""

    pattern = "devices/{device}/metrics"
    retained = False
    writers = ("device",)
    device: str


@dataclass(frozen=True)
class McuStatusChannel(Channel):
    """A microcontroller on a device's serial port."""

    pattern = "devices/{device}/mcus/{mcu}/status"
    retained = True
    writers = ("device",)
    device: str
    mcu: str


@dataclass(frozen=True)
class CommandChannel(Channel):
    """One command as a retained state machine; its requester clears it."""

    pattern = "devices/{device}/cmd/{op}/{id}"
    retained = True
    writers = ("operator", "device")
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
    McuStatusChannel,
    CommandChannel,
    *FEDERATED_CHANNELS,
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
            TopicError: a field is not a name, for instance a wildcard, or not a number below 10⁹.
        """
        levels = {name: getattr(channel, name) for name in _kinds(type(channel))}
        return f"{self.prefix}/{channel.pattern.format(**_checked(type(channel), levels, ''))}"

    def channel(self, topic: str) -> Channel:
        """Return the channel of a topic.

        Raises:
            TopicError: the topic is not in the contract.
        """
        prefix = f"{self.prefix}/"
        if topic.startswith(prefix):
            for kind, kinds, regex in _READERS:
                if match := regex.fullmatch(topic, len(prefix)):
                    return kind(**{name: kinds[name](v) for name, v in match.groupdict().items()})
        raise TopicError(f"topic {shorten(topic, 120)} is not in the contract")

    def filter(self, kind: type[Channel], **levels: str | int) -> str:
        """Return the subscription for one kind of channel; levels not given become `+`.

        Raises:
            TopicError: a given level is not a name, or not one of this channel.
        """
        known = _kinds(kind)
        if strange := levels.keys() - known.keys():
            raise TopicError(f"{kind.pattern} has no level {', '.join(sorted(strange))}")
        given = _checked(kind, {n: v for n, v in levels.items() if v != "+"}, " in a filter")
        return f"{self.prefix}/{kind.pattern.format(**dict.fromkeys(known, '+') | given)}"


def _kinds(kind: type[Channel]) -> dict[str, type]:
    """The variable levels of a channel: the type of each, `str` or `int`."""
    return {field.name: int if field.type is int else str for field in dataclasses.fields(kind)}


def _checked(kind: type[Channel], levels: dict[str, str | int], where: str) -> dict[str, str]:
    kinds, texts = _kinds(kind), {}
    for field, value in levels.items():
        text = str(value) if isinstance(value, kinds[field]) else ""
        if not re.fullmatch(NUMBER if kinds[field] is int else NAME, text):
            allowed = (
                "a number below 1000000000" if kinds[field] is int else "1 to 64 of a-z 0-9 _ -"
            )
            raise TopicError(f"{field} {shorten(value)} is refused{where}: use {allowed}")
        texts[field] = text
    return texts


def _regex(kind: type[Channel]) -> str:
    kinds = _kinds(kind)
    levels = {n: f"(?P<{n}>{NUMBER if kinds[n] is int else NAME})" for n in kinds}
    return kind.pattern.format(**levels)


_READERS = [(kind, _kinds(kind), re.compile(_regex(kind))) for kind in CHANNELS]
