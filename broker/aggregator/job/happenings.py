"""What can happen to a job: the words of its state machine."""

from dataclasses import dataclass

from broker.aggregator.job.events import Closed
from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Judged
from broker.contract.federated.outcome import JobOutcome


@dataclass(frozen=True)
class Begin:
    """The first model is there."""


@dataclass(frozen=True)
class Made:
    """The round that was open has made a model."""

    closed: Closed


@dataclass(frozen=True)
class TooFew:
    """The round that was open has lapsed."""

    reason: str


@dataclass(frozen=True)
class Broke:
    """No model can be made any more."""

    reason: str


@dataclass(frozen=True)
class Answered:
    """Devices have judged the final model, or their time is up."""

    judged: Judged | None


@dataclass(frozen=True)
class Exported:
    """A release is on the disk."""

    number: int
    manifest: BlobRef


@dataclass(frozen=True)
class Unfit:
    """No release can be made of the final model."""

    number: int
    reason: str


@dataclass(frozen=True)
class Stop:
    """The operator wants the job to stop."""

    reason: str


@dataclass(frozen=True)
class Run:
    """The operator wants the job to run."""


Word = Begin | Made | TooFew | Broke | Answered | Exported | Unfit | Stop | Run


@dataclass(frozen=True)
class Draw:
    """What chance, the clock and the broker give to what comes next.

    Attributes:
        seed: of a round; `key`: of its noise.
        before: an outcome of this job's name that the broker had.
    """

    now_ms: int
    seed: str
    key: str
    before: JobOutcome | None = None
