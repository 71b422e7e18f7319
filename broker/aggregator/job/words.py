"""What a job has to say to the fleet, once what led to it is on the disk."""

from dataclasses import dataclass

from broker.contract.blobs import BlobRef
from broker.contract.federated.channels import (
    AckChannel,
    JobStatusChannel,
    MissingChannel,
    RoundChannel,
)
from broker.contract.federated.round import Ack, JobStatus, Missing, Round


@dataclass(frozen=True)
class Say:
    """Publish a message, retained if its channel says so."""

    channel: AckChannel | MissingChannel | RoundChannel | JobStatusChannel
    message: Ack | Missing | Round | JobStatus


@dataclass(frozen=True)
class Show:
    """Publish a blob."""

    ref: BlobRef
    data: bytes


@dataclass(frozen=True)
class Withdraw:
    """Clear a blob that nobody needs any more."""

    ref: BlobRef


Out = Say | Show | Withdraw
