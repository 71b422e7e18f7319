"""What a job has to say to the fleet, once what led to it is on the disk."""

from dataclasses import dataclass

from broker.contract.blobs import BlobRef
from broker.contract.federated.channels import (
    AckChannel,
    JobOutcomeChannel,
    JobStatusChannel,
    MissingChannel,
    RoundChannel,
)
from broker.contract.federated.outcome import JobOutcome
from broker.contract.federated.round import Ack, JobStatus, Missing, Round


@dataclass(frozen=True)
class Say:
    """Publish a message, retained if its channel says so."""

    channel: AckChannel | MissingChannel | RoundChannel | JobStatusChannel | JobOutcomeChannel
    message: Ack | Missing | Round | JobStatus | JobOutcome


@dataclass(frozen=True)
class Show:
    """Publish a blob."""

    ref: BlobRef
    data: bytes


@dataclass(frozen=True)
class Withdraw:
    """Clear a blob of which a job has no more use, unless some job tells devices of it."""

    ref: BlobRef


@dataclass(frozen=True)
class WithdrawFile:
    """Clear a file that was for this aggregator alone."""

    ref: BlobRef


@dataclass(frozen=True)
class Supersede:
    """Clear all files of an outcome that another has taken the place of."""

    manifest: BlobRef


Out = Say | Show | Withdraw | WithdrawFile | Supersede
