"""The places of federated learning: jobs, rounds, updates, and the blobs that models travel as."""

from dataclasses import dataclass

from broker.contract.channel import Channel


@dataclass(frozen=True)
class BlobChannel(Channel):
    """One chunk of a file that its SHA-256 names; sixteen chunks make a bucket."""

    pattern = "blobs/{sha256}/{bucket}/{chunk}"
    retained = True
    writers = ("operator", "aggregator")
    sha256: str
    bucket: int
    chunk: int


@dataclass(frozen=True)
class JobSpecChannel(Channel):
    """What a federated job trains, how, and on what terms."""

    pattern = "fl/{job}/spec"
    retained = True
    writers = ("operator", "aggregator")
    job: str


@dataclass(frozen=True)
class JobControlChannel(Channel):
    """Whether an operator wants a job to run."""

    pattern = "fl/{job}/control"
    retained = True
    writers = ("operator",)
    job: str


@dataclass(frozen=True)
class JobStatusChannel(Channel):
    """How far a job has come, for people."""

    pattern = "fl/{job}/status"
    retained = True
    writers = ("aggregator",)
    job: str


@dataclass(frozen=True)
class RoundChannel(Channel):
    """The round that a job is in."""

    pattern = "fl/{job}/round"
    retained = True
    writers = ("aggregator",)
    job: str


@dataclass(frozen=True)
class UpdateChannel(Channel):
    """One slice of the update of one device: CBOR, see docs/reference/federated.md."""

    pattern = "fl/{job}/{round}/up/{shard}/{device}/{slice}"
    retained = False
    writers = ("device",)
    job: str
    round: int
    shard: int
    device: str
    slice: int


@dataclass(frozen=True)
class AckChannel(Channel):
    """What the aggregator has of a device, durably, or why it refuses it."""

    pattern = "fl/{job}/{round}/ack/{device}"
    retained = False
    writers = ("aggregator",)
    job: str
    round: int
    device: str


@dataclass(frozen=True)
class MissingChannel(Channel):
    """The slices of a device that the aggregator still lacks."""

    pattern = "fl/{job}/{round}/missing/{device}"
    retained = False
    writers = ("aggregator",)
    job: str
    round: int
    device: str


@dataclass(frozen=True)
class EvaluationChannel(Channel):
    """How well the round's model does on what a device holds out."""

    pattern = "fl/{job}/{round}/eval/{device}"
    retained = False
    writers = ("device",)
    job: str
    round: int
    device: str


@dataclass(frozen=True)
class JobFileChannel(Channel):
    """One chunk of a file that only the aggregator gets, laid out as a blob is; it clears it."""

    pattern = "fl/{job}/files/{sha256}/{bucket}/{chunk}"
    retained = True
    writers = ("operator", "aggregator")
    secret = True
    job: str
    sha256: str
    bucket: int
    chunk: int


@dataclass(frozen=True)
class JobOutcomeChannel(Channel):
    """What came of a job: a model to run, or why there is none."""

    pattern = "fl/{job}/outcome"
    retained = True
    writers = ("aggregator",)
    job: str


FEDERATED_CHANNELS: tuple[type[Channel], ...] = (
    BlobChannel,
    JobSpecChannel,
    JobControlChannel,
    JobStatusChannel,
    RoundChannel,
    UpdateChannel,
    AckChannel,
    MissingChannel,
    EvaluationChannel,
    JobFileChannel,
    JobOutcomeChannel,
)
