"""The messages of a round, apart from the slices: JSON, see `broker.contract.messages`."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Judged
from broker.contract.federated.slices import MAX_MISSING, MAX_SLICES
from broker.contract.fields import Count, Line, Milliseconds, Name
from broker.contract.shape import Doc, Length, Pattern, Range

Seed = Annotated[str, Pattern("[0-9a-f]{16}", "64 bits in 16 hexadecimal digits")]
RoundNumber = Annotated[int, Range(0, 10**9 - 1)]
Slice = Annotated[int, Range(0, MAX_SLICES - 1)]
RoundState = Literal["open", "closed", "done", "failed", "stopped"]


@dataclass(frozen=True)
class Round:
    """The round that a job is in; its last one stays, so that a device that comes late knows."""

    job: Name
    number: RoundNumber
    state: RoundState
    model: Annotated[BlobRef, Doc("the global parameters that this round starts from")]
    control: BlobRef | None = None
    open_for_s: Annotated[float, Range(0, 30 * 86_400), Doc("from opened_ms")] = 0.0
    opened_ms: Annotated[Milliseconds, Doc("Unix time by the aggregator's clock")] = 0
    seed: Annotated[Seed, Doc("chooses devices, positions and rotations")] = "0" * 16
    goal: Annotated[Count, Doc("updates that close the round before its time")] = 1
    reason: Annotated[Line | None, Doc("why it failed or was stopped")] = None
    baseline: Annotated[
        BlobRef | None,
        Doc(
            "set while a closed round has its final model judged: every device with examples held "
            "out judges `model`, and this one beside it, and answers once on `eval`"
        ),
    ] = None


@dataclass(frozen=True)
class Ack:
    """What became of a device's update; nothing is sent for a slice alone."""

    whole: Annotated[bool, Doc("every slice is on the aggregator's disk")]
    counted: Annotated[bool, Doc("it is, or will be, part of the sums")] = False
    refused: Annotated[Line | None, Doc("why it never will be")] = None


@dataclass(frozen=True)
class Missing:
    """The slices that a device has to send, again or for the first time."""

    slices: Annotated[
        tuple[Annotated[tuple[Slice, ...], Length(2, 2)], ...],
        Length(MAX_MISSING),
        Doc("ranges, both ends included, ascending"),
    ]


@dataclass(frozen=True)
class Evaluation:
    """What the round's model does on the examples that a device held out."""

    examples: Annotated[int, Range(1, 2**20)]
    loss: Annotated[float, Range(0, 1e9), Doc("mean over the examples")]
    correct: Annotated[Count, Doc("right answers, of a classifier")] = 0
    baseline_loss: Annotated[
        float | None, Range(0, 1e9), Doc("of the round's `baseline` on the same examples")
    ] = None
    baseline_correct: Count | None = None


@dataclass(frozen=True)
class JobControl:
    """What an operator wants of a job."""

    wanted: Literal["run", "stop"]
    reason: Line | None = None


@dataclass(frozen=True)
class RoundReport:
    """What one finished round brought."""

    number: RoundNumber
    updates: Annotated[Count, Doc("devices that were counted")]
    refused: Count = 0
    examples: Count = 0
    bytes: Annotated[Count, Doc("of all slices that came in")] = 0
    seconds: Annotated[float, Range(0, 1e9)] = 0.0
    loss: Annotated[float | None, Doc("mean on held-out examples")] = None
    accuracy: Annotated[float | None, Range(0, 1)] = None
    training_loss: Annotated[
        float | None, Doc("mean on the devices' own examples, before they trained")
    ] = None


@dataclass(frozen=True)
class JobStatus:
    """How far a job has come."""

    state: Literal[
        "waiting",
        "running",
        "evaluating",
        "publishing",
        "done",
        "failed",
        "stopped",
        "refused",
    ]
    rounds: Count
    round: RoundNumber = 0
    updates: Annotated[
        Count, Doc("counted in the round that is open; while evaluating, answers of devices")
    ] = 0
    goal: Annotated[Count, Doc("updates, or answers, that end the round, or the evaluation")] = 0
    reason: Line | None = None
    epsilon: Annotated[float | None, Doc("privacy spent so far")] = None
    model: Annotated[BlobRef | None, Doc("the newest global parameters")] = None
    judged: Annotated[Judged | None, Doc("the final model beside the first one")] = None
    release: Annotated[Count | None, Doc("number of its outcome")] = None
    shipped: Annotated[bool | None, Doc("whether that is a model for devices")] = None
    history: Annotated[
        tuple[RoundReport, ...], Length(200), Doc("the newest rounds, oldest first")
    ] = field(default_factory=tuple)
