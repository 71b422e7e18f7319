"""What a device's part in a job asks of the disk."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from agent.learning.learner.request import Report
from broker.contract.federated.job import JobSpec
from broker.contract.messages import encode


class Terms(NamedTuple):
    """A job under certain terms; what was kept under others means nothing to it."""

    job: str
    digest: str


def terms_of(spec: JobSpec) -> Terms:
    """The terms of a job."""
    return Terms(spec.id, hashlib.sha256(encode(spec)).hexdigest()[:16])


@dataclass(frozen=True)
class Recalled:
    """What is left of a job from before a restart.

    Attributes:
        settled: number of the last round that is over for this device.
        kept: report of an update that lies whole on the disk and was not settled.
        residual, own_control: paths of what counted updates left behind.
    """

    settled: int | None = None
    kept: Report | None = None
    residual: str | None = None
    own_control: str | None = None


class JobDisk(Protocol):
    """Updates and what they leave behind; every method may raise StorageError."""

    def recall(self, terms: Terms) -> Recalled:
        """Say what is there, and delete what a crash left half done."""

    def prepare(self, terms: Terms) -> str:
        """Make an empty folder for a learner, which nobody else ever had; return its path."""

    def keep(self, terms: Terms, number: int, output: str) -> None:
        """In one step: what a learner left in its folder is the update of a round."""

    def piece(self, terms: Terms, number: int, place: int) -> bytes:
        """One slice of a whole update."""

    def settle(self, terms: Terms, number: int, *, counted: bool) -> None:
        """In one step: remember the round; if it counted, keep what it left; delete the rest."""

    def discard(self, terms: Terms, number: int) -> None:
        """Delete an update, whole or not."""

    def drop_residual(self, job: str) -> None:
        """Delete what was held back from earlier updates, under any terms."""

    def prune(self, most: int) -> None:
        """Delete all but what is kept of the newest so many jobs."""

    def remove(self, job: str) -> None:
        """Delete all that is kept of a job."""
