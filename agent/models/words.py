"""What happens to an installation, and what it then asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agent.models.journal import Release
from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Manifest


@dataclass(frozen=True)
class Offered:
    """A job was shipped with this release; it may be offered again and again."""

    release: Release


@dataclass(frozen=True)
class Fetched:
    """Everything of the last `Fetch` lies in the store of blobs, at paths by its SHA-256."""

    id: str
    paths: Mapping[str, str]


@dataclass(frozen=True)
class NotFetched:
    """Something of it cannot be had now."""

    id: str
    reason: str


@dataclass(frozen=True)
class Worked:
    """The installer has done the last `Work`."""

    id: str


@dataclass(frozen=True)
class Failed:
    """It found what speaks against the release, or could not do it for another reason.

    Attributes:
        is_final: the same would be found again.
    """

    id: str
    reason: str
    is_final: bool


OfRelease = Fetched | NotFetched | Worked | Failed
"""These say which release they are about; what is said of another is too late."""


@dataclass(frozen=True)
class Serves:
    """The pipeline answers with the model that it was last told to take."""


@dataclass(frozen=True)
class Answered:
    """So many inputs were computed since then, in all."""

    count: int


@dataclass(frozen=True)
class Faulted:
    """The pipeline's process failed, or refused the model."""

    reason: str


@dataclass(frozen=True)
class RollBack:
    """The operator wants what served before."""


@dataclass(frozen=True)
class Configured:
    """The configuration names this model; it wins over a release that came for another one."""

    model: str


@dataclass(frozen=True)
class Refitted:
    """What the configuration says around the model changed: other files of a release may fit."""


@dataclass(frozen=True)
class Due:
    """It is `due_ms`."""


Event = Offered | OfRelease | Serves | Answered | Faulted | RollBack | Configured | Refitted | Due


@dataclass(frozen=True)
class Fetch:
    """Have these blobs in the store, and answer with `Fetched` or `NotFetched`."""

    id: str
    refs: tuple[BlobRef, ...]


@dataclass(frozen=True)
class Work:
    """Have the installer verify a release's files, or try its golden samples."""

    id: str
    what: Literal["verify", "golden"]
    manifest: Manifest


@dataclass(frozen=True)
class Exchange:
    """The pipeline is to go over to the release that its link names now."""


@dataclass(frozen=True)
class Tell:
    """Tell whoever reads the journal of the system."""

    level: str
    text: str


Effect = Fetch | Work | Exchange | Tell
