"""What `selvedge broker init` was asked for, kept beside its results for the next run."""

from dataclasses import dataclass
from typing import Annotated, Any

from broker.contract.codec import decode_json
from broker.contract.errors import MessageError
from broker.contract.fields import Name
from broker.contract.shape import Fault, Length, Pattern, Range, parse, to_tree
from broker.contract.topics import DEFAULT_PREFIX, PREFIX
from broker.errors import ConfigError

DEFAULT_PORT = 8883
Line = Annotated[str, Length(512, minimum=1)]


@dataclass(frozen=True)
class FleetSettings:
    """The choices of a fleet's broker."""

    hosts: Annotated[tuple[Line, ...], Length(100)] = ()
    prefix: Annotated[str, Pattern(PREFIX, "one to four levels of [a-z0-9_-]")] = DEFAULT_PREFIX
    port: Annotated[int, Range(minimum=1, maximum=65534)] = DEFAULT_PORT
    readable: Annotated[tuple[Line, ...], Length(100)] = ()
    home_assistant: Annotated[str, Length(131)] = ""
    blocked: Annotated[tuple[Name, ...], Length(10_000)] = ()


def read_settings(data: bytes, where: str) -> FleetSettings:
    """Parse what the last run wrote.

    Raises:
        ConfigError: it is not that.
    """
    try:
        tree = decode_json(data)
    except MessageError as error:
        raise ConfigError(f"{where}: {error}") from error
    parsed: FleetSettings | list[Fault] = parse(FleetSettings, tree, unknown="ignore")
    if isinstance(parsed, list):
        raise ConfigError(f"{where}: {parsed[0]}")
    return parsed


def settings_tree(settings: FleetSettings) -> dict[str, Any]:
    """The settings as plain JSON values."""
    tree: dict[str, Any] = to_tree(settings)
    return tree
