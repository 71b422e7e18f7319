"""The message of each place of federated learning; updates are CBOR, blobs are bytes."""

from broker.contract.channel import Channel
from broker.contract.federated.channels import (
    AckChannel,
    EvaluationChannel,
    JobControlChannel,
    JobOutcomeChannel,
    JobSpecChannel,
    JobStatusChannel,
    MissingChannel,
    RoundChannel,
)
from broker.contract.federated.job import JobSpec
from broker.contract.federated.outcome import JobOutcome
from broker.contract.federated.round import (
    Ack,
    Evaluation,
    JobControl,
    JobStatus,
    Missing,
    Round,
)

FEDERATED_MESSAGES: dict[type[Channel], type] = {
    JobSpecChannel: JobSpec,
    JobControlChannel: JobControl,
    JobStatusChannel: JobStatus,
    RoundChannel: Round,
    AckChannel: Ack,
    MissingChannel: Missing,
    EvaluationChannel: Evaluation,
    JobOutcomeChannel: JobOutcome,
}
