"""The access list of a fleet's mosquitto, derived from the contract's table of channels."""

import dataclasses
import re
from collections.abc import Iterable

from broker.contract.channel import Channel
from broker.contract.shape.constraints import shorten
from broker.contract.topics import CHANNELS, PREFIX, StatusChannel, Topics, is_name
from broker.errors import UsageError

OPERATOR = "operator:"
"""Begins the user name of an operator; no device can have it, for ids hold no colon."""

AGGREGATOR = "aggregator:"
"""Begins the user name of an aggregator."""

MAX_FILTER_BYTES = 512


def operator_user(name: str) -> str:
    """The user name, and common name of the certificate, of an operator."""
    return f"{OPERATOR}{name}"


def aggregator_user(name: str) -> str:
    """The user name, and common name of the certificate, of an aggregator."""
    return f"{AGGREGATOR}{name}"


def device_rights(topics: Topics) -> list[tuple[str, str]]:
    """What every device may do: pairs of `read` or `write` and a topic, `%u` being the device."""
    rights = []
    for kind in CHANNELS:
        topic = _topic(topics, kind, device="%u")
        if "device" in kind.writers:
            rights.append(("write", topic))
        is_kept = kind.retained and "device" in kind.writers
        if is_kept or (kind.writers != ("device",) and not kind.secret):
            # What it left there it reads, to clear what is no longer so.
            rights.append(("read", topic))
    return rights


def operator_rights(topics: Topics) -> list[tuple[str, str]]:
    """What every operator may do: read all, write what the contract lets an operator write."""
    return [("read", f"{topics.prefix}/#"), *_writes(topics, "operator")]


def aggregator_rights(topics: Topics) -> list[tuple[str, str]]:
    """What every aggregator may do: read jobs, blobs and who is there, write its part of a job."""
    read = [("read", f"{topics.prefix}/{part}") for part in ("fl/#", "blobs/#")]
    status = ("read", _topic(topics, StatusChannel, device="+"))
    return [*read, status, *_writes(topics, "aggregator")]


def access_list(
    topics: Topics,
    operators: Iterable[str],
    aggregators: Iterable[str] = (),
    *,
    readable: Iterable[str] = (),
    home_assistant: str = "",
    blocked: Iterable[str] = (),
) -> str:
    """The text of mosquitto's acl_file.

    Args:
        topics: the contract under its prefix.
        operators: their names, without OPERATOR.
        aggregators: their names, without AGGREGATOR.
        readable: further filters that devices may read, for sources that listen to MQTT.
        home_assistant: the prefix of its discovery, where devices may announce themselves and
            operators read; empty: none.
        blocked: devices that may do nothing any more, whatever their certificates say.
    """
    lines = ["# Written by 'selvedge broker init'; its next run overwrites this file.", ""]
    lines += ["# A device is %u, the common name of its certificate."]
    lines += [f"pattern {access} {topic}" for access, topic in device_rights(topics)]
    lines += [f"pattern read {text}" for text in readable]
    if home_assistant:
        lines += [f"pattern write {home_assistant}/device/%u/+/config"]
    for name in operators:
        lines += ["", f"user {operator_user(name)}"]
        lines += [f"topic {access} {topic}" for access, topic in operator_rights(topics)]
        lines += [f"topic read {home_assistant}/#"] if home_assistant else []
    for name in aggregators:
        lines += ["", f"user {aggregator_user(name)}"]
        lines += [f"topic {access} {topic}" for access, topic in aggregator_rights(topics)]
    for device in blocked:
        lines += ["", f"user {device}", "topic deny #"]
    return "\n".join(lines) + "\n"


def check_readable(text: str, topics: Topics) -> str:
    """Return a filter that every device may be allowed to read beside the contract.

    Raises:
        UsageError: not an MQTT topic filter, or it reaches into the contract or into `$SYS`.
    """
    levels = text.split("/")
    broken = (
        not text
        or not text.isprintable()
        or len(text.encode()) > MAX_FILTER_BYTES
        or text != text.strip()
        or any("#" in level for level in levels[:-1])
        or any(level[1:] and ("+" in level or "#" in level) for level in levels)
        or "%" in text
    )
    if broken:
        raise UsageError(f"--readable {shorten(text)} is not a topic filter")
    if text.startswith("$") or _overlaps(levels, topics.prefix.split("/")):
        raise UsageError(
            f"--readable {shorten(text)} is refused: it reaches into {topics.prefix} or $SYS, "
            "where a device may read only its own"
        )
    return text


def check_discovery(prefix: str, topics: Topics) -> str:
    """Return a prefix of Home Assistant's discovery; empty is none.

    Raises:
        UsageError: not one to four levels, or it is the contract's or inside of it.
    """
    if prefix and not re.fullmatch(PREFIX, prefix):
        raise UsageError(
            f"--home-assistant {shorten(prefix)} is refused: use one to four levels of [a-z0-9_-]"
        )
    if f"{prefix}/".startswith(f"{topics.prefix}/"):
        raise UsageError(
            f"--home-assistant {shorten(prefix)} is refused: it reaches into {topics.prefix}"
        )
    return prefix


def check_name(name: str, what: str) -> str:
    """Return the name of a device or an operator.

    Raises:
        UsageError: it is not 1 to 64 of `a-z 0-9 _ -`.
    """
    if not is_name(name):
        raise UsageError(f"--{what} {shorten(name)} is refused: use 1 to 64 of a-z 0-9 _ -")
    return name


def _writes(topics: Topics, who: str) -> list[tuple[str, str]]:
    written = [kind for kind in CHANNELS if who in kind.writers]
    return [("write", _topic(topics, kind, device="+")) for kind in written]


def _topic(topics: Topics, kind: type[Channel], device: str) -> str:
    fields = [field.name for field in dataclasses.fields(kind)]
    levels = {name: device if name == "device" else "+" for name in fields}
    return f"{topics.prefix}/{kind.pattern.format(**levels)}"


def _overlaps(levels: list[str], prefix: list[str]) -> bool:
    """Whether some topic below `prefix` matches the filter."""
    for at, name in enumerate(prefix):
        if at == len(levels):
            return False
        if levels[at] == "#":
            return True
        if levels[at] not in ("+", name):
            return False
    return True
