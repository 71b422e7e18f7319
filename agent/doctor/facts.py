"""What was found out about a machine, before anything is said about it."""

from dataclasses import dataclass

from agent.sources.protocol import Found


@dataclass(frozen=True)
class System:
    """Python and what runs it.

    Attributes:
        machine: such as aarch64 or armv6l.
        pointer_bits: 32 on a 32-bit system, whatever the processor can.
    """

    python: tuple[int, int, int]
    name: str
    machine: str
    pointer_bits: int
    clock_is_synced: bool


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
        is_new: it will be made when it is first needed.
    """

    path: str
    is_new: bool
    problem: str | None
    free_bytes: int


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


@dataclass(frozen=True)
class BrokerAnswer:
    """What came of connecting to a broker; `problem` is None if it accepted."""

    url: str
    milliseconds: int
    problem: str | None


@dataclass(frozen=True)
class Facts:
    """All of it.

    Attributes:
        brokers: name → version or path of each broker that can be started here.
        inputs: of all sources, serial ports among them.
        broker: None when none was named.
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
