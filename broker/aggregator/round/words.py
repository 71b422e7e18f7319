"""What can happen in a round, and what must be done about it: the words of its state machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Arrived:
    """A slice that is well formed.

    Attributes:
        of: slices that its update has, as the device says.
        size_bytes: of the whole message.
    """

    device: str
    number: int
    of: int
    codec: int
    examples: int
    size_bytes: int
    losses: tuple[float, float] | None = None


@dataclass(frozen=True)
class Broken:
    """A message that is no slice."""

    device: str
    size_bytes: int
    reason: str


@dataclass(frozen=True)
class Judged:
    """A whole update was looked at, and is part of the sums unless refused."""

    device: str
    refused: str | None


@dataclass(frozen=True)
class Due:
    """The time is up."""


Event = Arrived | Broken | Judged | Due


@dataclass(frozen=True)
class Spool:
    """Keep the slice that has just arrived."""

    device: str
    number: int


@dataclass(frozen=True)
class Judge:
    """All slices of an update are there: check and sum it; answer `Judged`."""

    device: str


@dataclass(frozen=True)
class Record:
    """Keep what became of a device, and drop its slices if it was refused."""

    device: str


@dataclass(frozen=True)
class Tell:
    """Once all this is on the disk, tell a device how it stands."""

    device: str


@dataclass(frozen=True)
class Close:
    """There are enough updates: make the next model."""


@dataclass(frozen=True)
class Lapse:
    """There are too few, and the time is up."""

    reason: str


Effect = Spool | Judge | Record | Tell | Close | Lapse
