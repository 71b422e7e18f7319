"""What can happen to a device in a round, and what it must do: the words of its state machine."""

from dataclasses import dataclass

from broker.contract.blobs import BlobRef
from broker.contract.federated.job import JobSpec
from broker.contract.federated.round import Ack, Missing, Round

Key = tuple[str, int]
"""Job and number of a round."""


@dataclass(frozen=True)
class Task:
    """One round of one job, as a device takes part in it."""

    spec: JobSpec
    round: Round

    @property
    def key(self) -> Key:
        """What tells rounds apart."""
        return (self.round.job, self.round.number)

    @property
    def blobs(self) -> tuple[BlobRef, ...]:
        """The vectors that training starts from; trainer and backbone are the adapter's choice."""
        control = self.round.control
        return (self.round.model,) if control is None else (self.round.model, control)


@dataclass(frozen=True)
class Settled:
    """After a restart: the last round that was settled."""

    key: Key


@dataclass(frozen=True)
class Kept:
    """After a restart: an encoded update lies on the disk."""

    key: Key
    slices: int


@dataclass(frozen=True)
class Opened:
    """A round is open and this device takes part; may be repeated."""

    task: Task


@dataclass(frozen=True)
class Passed:
    """A round is open, but not for this device."""

    key: Key
    reason: str


@dataclass(frozen=True)
class Ended:
    """No round of this job is open any more."""

    reason: str


@dataclass(frozen=True)
class Unable:
    """The device may not train now: no power, no room, or its operator says so."""

    reason: str


@dataclass(frozen=True)
class Withdrawn:
    """The device takes its part in the round back: what it learned from is no longer there."""

    reason: str


@dataclass(frozen=True)
class Fetched:
    """All blobs are there, and their digests are right."""

    key: Key


@dataclass(frozen=True)
class FetchFailed:
    """A blob cannot be had, for now."""

    key: Key
    reason: str


@dataclass(frozen=True)
class Trained:
    """The encoded update, and the residual that goes with it, are safe on the disk."""

    key: Key
    slices: int


@dataclass(frozen=True)
class TrainFailed:
    """The learner ended without an update."""

    key: Key
    reason: str


@dataclass(frozen=True)
class Flushed:
    """The broker has taken every slice of the last `Send`."""

    key: Key


@dataclass(frozen=True)
class Acked:
    """The aggregator's word on the update."""

    key: Key
    ack: Ack


@dataclass(frozen=True)
class Lacking:
    """The slices that the aggregator has not got."""

    key: Key
    missing: Missing


@dataclass(frozen=True)
class Up:
    """There is a link to the broker."""


@dataclass(frozen=True)
class Down:
    """There is none; what was being sent has to be sent again."""


@dataclass(frozen=True)
class Due:
    """It is `due_ms`."""


Event = (
    Settled
    | Kept
    | Opened
    | Passed
    | Ended
    | Unable
    | Withdrawn
    | Fetched
    | FetchFailed
    | Trained
    | TrainFailed
    | Flushed
    | Acked
    | Lacking
    | Up
    | Down
    | Due
)


@dataclass(frozen=True)
class Fetch:
    """Get the blobs of the task, or find them in the store; answer `Fetched` or `FetchFailed`."""

    task: Task


@dataclass(frozen=True)
class Train:
    """Start the learner; answer `Trained` or `TrainFailed`."""

    task: Task


@dataclass(frozen=True)
class Halt:
    """End fetching or the learner; nothing that they still say counts."""


@dataclass(frozen=True)
class Send:
    """Publish these slices of the update on the disk; what is left of the last `Send` is void."""

    key: Key
    slices: tuple[int, ...]


@dataclass(frozen=True)
class Settle:
    """The round is over for this device, and its update has done its service.

    In one step, of which a restart finds all or nothing: remember the round, to be told as
    `Settled`; if the update counted, its residual becomes the device's residual; delete the rest.
    A device that forgot would train again, and commit a residual whose update never counted.
    """

    key: Key
    counted: bool


@dataclass(frozen=True)
class Discard:
    """Delete the encoded update and its residual: it can no longer count."""

    key: Key


Effect = Fetch | Train | Halt | Send | Settle | Discard
