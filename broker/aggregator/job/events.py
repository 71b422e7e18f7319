"""What is journalled of a job; its state is the fold of these, see `machine`."""

from dataclasses import dataclass
from typing import Literal, get_args

from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Judged
from broker.contract.codec import decode_json, encode_json
from broker.contract.errors import MessageError
from broker.contract.federated.outcome import JobOutcome
from broker.contract.federated.round import RoundNumber, RoundReport, Seed
from broker.contract.fields import Count, Digest, Line, Milliseconds
from broker.contract.shape import parse, to_tree


@dataclass(frozen=True)
class Opened:
    """A round was opened; `key` is the secret of its noise."""

    number: RoundNumber
    opened_ms: Milliseconds
    seed: Seed
    key: Digest


@dataclass(frozen=True)
class Closed:
    """A round was closed, and made a model."""

    report: RoundReport
    model: BlobRef
    control: BlobRef | None = None


@dataclass(frozen=True)
class Lapsed:
    """A round had too few updates."""

    number: RoundNumber
    reason: Line


@dataclass(frozen=True)
class Asked:
    """Devices were asked to judge the final model."""

    number: RoundNumber
    asked_ms: Milliseconds
    goal: Count


@dataclass(frozen=True)
class Evaluated:
    """They have judged it, where they were asked; what follows is release `number`.

    `superseded` is the manifest of an outcome that the broker had.
    """

    number: Count
    judged: Judged | None = None
    superseded: BlobRef | None = None


@dataclass(frozen=True)
class Released:
    """There is an outcome."""

    outcome: JobOutcome


@dataclass(frozen=True)
class Ended:
    """No further round is opened."""

    state: Literal["done", "failed", "stopped"]
    reason: Line | None = None


Event = Opened | Closed | Lapsed | Asked | Evaluated | Released | Ended
KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def to_bytes(event: Event) -> bytes:
    """One line of the journal."""
    return encode_json({"event": type(event).__name__, **to_tree(event)})


def from_bytes(line: bytes) -> Event:
    """The event of a line.

    Raises:
        MessageError: this version writes no such line.
    """
    tree = decode_json(line)
    kind = KINDS.get(tree.pop("event", "")) if isinstance(tree, dict) else None
    if kind is None:
        raise MessageError("its journal has an event that is not known")
    event = parse(kind, tree)
    if isinstance(event, list):
        raise MessageError(f"its journal: {kind.__name__}: {event[0]}")
    return event
