"""What was found out about a machine, before anything is said about it."""

from dataclasses import dataclass
from enum import Enum

from agent.sources.protocol import Found


@dataclass(frozen=True)
class System:
    """Python and what runs it.

    Attributes:
        machine: such as aarch64 or armv6l.
        pointer_bits: 32 on a 32-bit system, whatever the processor can.
        unix_s: what the clock says.
        features: of the processor, as the kernel names them; None where it does not tell.
    """

    python: tuple[int, int, int]
    name: str
    machine: str
    pointer_bits: int
    clock_is_synced: bool
    unix_s: int
    features: frozenset[str] | None


@dataclass(frozen=True)
class Memory:
    """Bytes of memory; `cma` is what is set aside for cameras, None where the kernel has none."""

    total: int
    available: int
    cma_total: int | None
    cma_free: int | None


@dataclass(frozen=True)
class Folder:
    """The state folder, or the nearest above it that is there.

    Attributes:
        problem: why it cannot be written; None if it can.
        is_read_only: the whole file system is.
        is_full: nothing more fits.
        is_new: it will be made when it is first needed.
    """

    path: str
    is_new: bool
    problem: str | None
    free_bytes: int
    is_read_only: bool = False
    is_full: bool = False


@dataclass(frozen=True)
class Library:
    """One library that provides a runtime.

    Attributes:
        runtime: the runtime's name in configuration.
        version: None if it is not installed.
        remedy: how to get any library of this runtime.
    """

    runtime: str
    name: str
    version: str | None
    remedy: str


@dataclass(frozen=True)
class User:
    """Who asks; root needs no groups."""

    name: str
    is_root: bool
    groups: frozenset[str]


class Refusal(Enum):
    """What kept a broker from being used."""

    NAME = "its name has no address"
    NOBODY = "nobody listens"
    NETWORK = "the network does not get there"
    CLOCK = "its certificate is of a time to come"
    EXPIRED = "its certificate is of the past"
    AUTHORITY = "its certificate is signed by a stranger"
    OTHER_NAME = "its certificate is another machine's"
    NO_TLS = "it does not speak TLS"
    UNREADABLE = "our own certificates cannot be read"
    OTHER = "anything else"


@dataclass(frozen=True)
class BrokerAnswer:
    """What came of connecting to a broker; `problem` is None if it accepted."""

    url: str
    milliseconds: int
    problem: str | None
    refusal: Refusal = Refusal.OTHER


@dataclass(frozen=True)
class Lack:
    """Something that the configuration names and that is not there, or not fit."""

    key: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Configuration:
    """The agent's configuration; `problem` is None if it can be used, and then `files` are read."""

    files: tuple[str, ...]
    problem: str | None
    lacks: tuple[Lack, ...]


@dataclass(frozen=True)
class Service:
    """The agent as systemd sees it.

    Attributes:
        state: active, failed, inactive …
        is_started_again: it ended without being told to, and systemd tries once more.
        result: why it failed.
        groups: that it is given besides its own.
    """

    name: str
    state: str
    is_started_again: bool
    result: str
    groups: frozenset[str]


@dataclass(frozen=True)
class Facts:
    """All of it.

    Attributes:
        brokers: name → version or path of each broker that can be started here.
        inputs: of all sources, serial ports among them.
        broker: None when none is configured or named.
        configuration: None where there is none.
        service: None where it is not installed.
    """

    system: System
    memory: Memory
    state: Folder
    libraries: tuple[Library, ...]
    numpy: str | None
    brokers: dict[str, str]
    inputs: tuple[Found, ...]
    user: User
    broker: BrokerAnswer | None
    configuration: Configuration | None = None
    service: Service | None = None
