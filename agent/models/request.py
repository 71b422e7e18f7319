"""What the installer is asked, and what it answers; without numpy, for the main process asks."""

from dataclasses import dataclass
from typing import Annotated, Literal

from agent.config.sources import PathText
from broker.contract.blobs import BlobRef
from broker.contract.fields import Line, Tree
from broker.contract.shape import Length, Range

FileName = Annotated[str, Length(80)]
Deadline = Annotated[float, Range(1, 3600)]


@dataclass(frozen=True)
class Item:
    """A file of a release: where it was fetched to, what it must be, and its name from now on."""

    path: PathText
    ref: BlobRef
    name: FileName


@dataclass(frozen=True)
class Verify:
    """Put a release together in a new folder, each file only if it is what its digest says."""

    kind: Literal["verify"]
    folder: PathText
    items: Annotated[tuple[Item, ...], Length(16)]
    deadline_s: Deadline = 120.0


@dataclass(frozen=True)
class Golden:
    """Run a release's golden samples as a pipeline of this configuration would.

    Attributes:
        folder: of the release; `config.model` is a file in it.
        cache: of machine code, into which what is compiled now goes for the pipeline.
    """

    kind: Literal["golden"]
    folder: PathText
    config: Tree
    cache: PathText | None = None
    deadline_s: Deadline = 120.0


Request = Verify | Golden


@dataclass(frozen=True)
class Report:
    """The answer.

    Attributes:
        reason: why the release cannot serve, or could not be tried; None: it passed.
        is_final: the same would be found again.
    """

    reason: Line | None = None
    is_final: bool = False
