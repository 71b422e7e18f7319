"""What is known of a pipeline's models on disk, so that no loss of power leaves a doubt."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal

from agent.config.sources import PathText
from broker.contract.blobs import BlobRef
from broker.contract.fields import Count, Line, Name
from broker.contract.shape import Length, parse


class State(Enum):
    """Where an installation stands; each is safe to lose power in."""

    IDLE = "idle"
    DOWNLOAD = "download"
    VERIFY = "verify"
    STAGE = "stage"
    GOLDEN = "golden"
    SWITCH = "switch"
    PROBATION = "probation"
    COMMIT = "commit"
    ROLLBACK = "rollback"


StateName = Literal[
    "idle", "download", "verify", "stage", "golden", "switch", "probation", "commit", "rollback"
]


@dataclass(frozen=True)
class Release:
    """A model that a job was shipped with; the digest of its manifest names all of it."""

    job: Name
    release: Count
    manifest: BlobRef

    @property
    def id(self) -> str:
        """Name of its folder."""
        return self.manifest.sha256

    def __str__(self) -> str:
        return f"release {self.release} of {self.job}"


@dataclass(frozen=True)
class Refusal:
    """Why a release does not serve."""

    job: Name
    release: Count
    reason: Line

    def __str__(self) -> str:
        return f"release {self.release} of {self.job}: {self.reason}"


@dataclass(frozen=True)
class Links:
    """Which releases a pipeline has, by the digests of their manifests.

    Attributes:
        serving: None: the model that its configuration names.
        previous: what came before it; None: likewise.
    """

    serving: str | None = None
    previous: str | None = None


Decided = Annotated[dict[Name, Count], Length(64)]


@dataclass(frozen=True)
class Journal:
    """One pipeline's; it is replaced whole.

    Attributes:
        configured: the model that the configuration named; another one ends what was adopted.
        release: what is being installed.
        back: what `serving` named before.
        decided: the highest release of each job that was adopted or refused for good.
        starts: of the agent since the files were here, not counting those after an orderly end.
    """

    configured: PathText
    state: StateName = "idle"
    release: Release | None = None
    back: Line | None = None
    refusal: Refusal | None = None
    decided: Decided = field(default_factory=dict)
    starts: Count = 0
    orderly: bool = False

    @property
    def step(self) -> State:
        """Where it stands."""
        return State(self.state)


def read_journal(tree: Any) -> Journal | None:
    """Read what was kept; None if that is not whole, as when nothing was."""
    journal = parse(Journal, tree)
    if isinstance(journal, list):
        return None
    lacks = journal.release is None and journal.step not in (State.IDLE, State.ROLLBACK)
    return None if lacks else journal
