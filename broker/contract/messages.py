"""The messages of the contract: a frozen dataclass for each, lenient towards newer peers."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from broker.contract.channel import Channel
from broker.contract.codec import decode_json, encode_json
from broker.contract.errors import MessageError
from broker.contract.federated.messages import FEDERATED_MESSAGES
from broker.contract.fields import Count, Line, Milliseconds, Name, Tree
from broker.contract.shape import Doc, Length, parse, to_tree
from broker.contract.topics import (
    CommandChannel,
    McuStatusChannel,
    MetricsChannel,
    ReportedChannel,
    ResultsChannel,
    StatusChannel,
)

InstallStep = Literal[
    "idle", "download", "verify", "stage", "golden", "switch", "probation", "commit", "rollback"
]


@dataclass(frozen=True)
class ReleaseStatus:
    """What federated jobs shipped to a pipeline, and what became of it."""

    step: Annotated[InstallStep, Doc("[of the installation](state-machines.md#an-installation)")]
    job: Annotated[Name | None, Doc("whose release serves; none: the configured model does")] = None
    release: Annotated[Count | None, Doc("that serves")] = None
    coming: Annotated[Line | None, Doc("what is being installed")] = None
    refused: Annotated[Line | None, Doc("the last release that does not serve, and why")] = None


@dataclass(frozen=True)
class PipelineStatus:
    """Where one pipeline stands."""

    state: Literal["starting", "running", "stopping", "backoff", "failed", "stopped"]
    reason: Annotated[Line | None, Doc("why it is not running, or what it waits for")] = None
    model: Annotated[Line | None, Doc("sha256 of the model file")] = None
    runtime: Annotated[Line | None, Doc("runtime that serves it")] = None
    runtime_reason: Annotated[Line | None, Doc("why that runtime was chosen")] = None
    source: Annotated[Line | None, Doc("open, waiting or ended; with the cause")] = None
    shipped: Annotated[ReleaseStatus | None, Doc("models from federated jobs, if any came")] = None


@dataclass(frozen=True)
class LearningStatus:
    """Where a device stands in one federated job; how many samples it has is not told."""

    state: Annotated[
        Literal[
            "idle",
            "fetching",
            "training",
            "uploading",
            "acknowledged",
            "aborted",
            "judging",
        ],
        Doc("aborted: it takes no further part in this round; judging: the final model"),
    ]
    pipeline: Annotated[Name, Doc("whose samples serve the job")]
    round: Count | None = None
    reason: Annotated[Line | None, Doc("why it is not at work, or why it waits")] = None


@dataclass(frozen=True)
class Status:
    """Whether a device is there, and what it runs."""

    state: Annotated[
        Literal["online", "stopped", "offline"], Doc("offline is the will; stopped a clean end")
    ]
    instance: Annotated[Line, Doc("changes with every start of the agent")]
    version: Line | None = None
    time_ms: Annotated[Milliseconds | None, Doc("Unix time; see time_synced")] = None
    time_synced: bool | None = None
    reason: Line | None = None
    runtimes: Annotated[tuple[Line, ...], Length(16)] = ()
    inputs: Annotated[tuple[Line, ...], Length(64)] = ()
    mcus: Annotated[tuple[Name, ...], Length(64), Doc("microcontrollers that answer")] = ()
    pipelines: Annotated[dict[Name, PipelineStatus], Length(64)] = field(default_factory=dict)
    learning: Annotated[
        dict[Name, LearningStatus] | None, Length(64), Doc("federated jobs that it serves, if any")
    ] = None


@dataclass(frozen=True)
class ReportedConfig:
    """What a device applied of what was desired; secrets and local keys are left out."""

    version: Annotated[int | None, Doc("`version` of the device's desired document")] = None
    fleet_version: Annotated[int | None, Doc("`version` of the fleet's desired document")] = None
    applied: Tree = field(default_factory=dict)
    errors: Annotated[dict[str, Line], Doc("dotted key to the reason it was refused")] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class Latency:
    """Where the time of one result went."""

    preprocess_us: Count
    invoke_us: Count
    postprocess_us: Count
    total_us: Annotated[Count, Doc("from the input being read to the answer being ready")]


@dataclass(frozen=True)
class Result:
    """One answer of one pipeline; unique by device, pipeline and sequence."""

    sequence: Count
    time_ms: Annotated[Milliseconds, Doc("Unix time of the input; see time_synced")]
    monotonic_ms: Annotated[Milliseconds, Doc("time of the input on the device's own clock")]
    time_synced: bool
    model: Annotated[Line, Doc("sha256 of the model file")]
    runtime: Annotated[Line, Doc("what computed this one")]
    outputs: Annotated[Tree, Doc("depends on the task: see docs/reference/outputs.md")]
    latency: Latency
    input: Annotated[Line | None, Doc("name of the input, when its source has one")] = None
    mcu: Annotated[
        Name | None, Doc("the microcontroller that computed it; left out when the device did")
    ] = None
    late: Annotated[bool | None, Doc("true when it waited for the broker in the outbox")] = None


@dataclass(frozen=True)
class OutboxMetrics:
    """The results that wait for the broker's acknowledgement."""

    rows: Count
    bytes: Count
    dropped: Annotated[Count, Doc("by age or for want of room, since start")]
    healthy: Annotated[bool, Doc("false while the disk refuses: results are held in memory only")]


@dataclass(frozen=True)
class PipelineMetrics:
    """Counters of one pipeline since the agent's start."""

    results: Count
    frames: Count
    drops: Annotated[Count, Doc("inputs that came while the model was busy")]
    restarts: Count
    rss_bytes: Count | None = None
    cpu_percent: float | None = None


@dataclass(frozen=True)
class McuMetrics:
    """Counters of one microcontroller since the start of the bridge."""

    answered: Annotated[Count, Doc("inferences that came back in time")]
    late: Annotated[Count, Doc("inferences that did not")]
    lost: Annotated[Count, Doc("inferences during which it was lost, or answered nonsense")]
    uploads: Annotated[Count, Doc("plans that were brought there")]
    quarantines: Annotated[Count, Doc("times that it was left alone for a while")]
    busy_ms: Annotated[Count, Doc("time that it was asked for, link included")]


@dataclass(frozen=True)
class BridgeMetrics:
    """The process that owns the serial ports of the microcontrollers."""

    restarts: Count
    rss_bytes: Count | None = None
    cpu_percent: float | None = None


@dataclass(frozen=True)
class LearningMetrics:
    """What federated jobs cost, since the agent's start."""

    trainings: Annotated[Count, Doc("learners that were started")]
    failures: Annotated[Count, Doc("learners that ended without an update")]
    updates: Annotated[Count, Doc("updates that an aggregator counted")]
    sent_bytes: Annotated[Count, Doc("of slices that the broker has taken")]
    fetched_bytes: Annotated[Count, Doc("of blobs that came, whatever for")]


@dataclass(frozen=True)
class Metrics:
    """Numbers about a device's health."""

    time_ms: Milliseconds
    uptime_s: Count
    rss_bytes: Count
    cpu_percent: float
    written_bytes: Annotated[Count, Doc("to storage by the agent's main process since start")]
    connects: Annotated[Count, Doc("to the broker since start")]
    rejected: Annotated[Count, Doc("messages from outside that were refused")]
    outbox: OutboxMetrics
    temperature_c: float | None = None
    pipelines: dict[Name, PipelineMetrics] = field(default_factory=dict)
    mcus: dict[Name, McuMetrics] = field(default_factory=dict)
    bridge: BridgeMetrics | None = None
    learning: LearningMetrics | None = None


@dataclass(frozen=True)
class McuStatus:
    """How a microcontroller is; what is not known of it is left out."""

    state: Annotated[
        Literal["stopped", "connecting", "probing", "ready", "uploading", "quarantined"],
        Doc(
            "connecting: nobody answers on its port; quarantined: it did wrong, and is tried later"
        ),
    ]
    reason: Annotated[Line | None, Doc("why it is not ready, or what was amiss last")] = None
    port: Annotated[Line | None, Doc("where it was found")] = None
    board: Line | None = None
    firmware: Line | None = None
    engine: Annotated[Line | None, Doc("first bytes of its engine's hash")] = None
    clock_hz: Count | None = None
    arena_bytes: Count | None = None
    store_bytes: Annotated[Count | None, Doc("room for plans")] = None
    free_store_bytes: Count | None = None
    stack_high_water_bytes: Count | None = None
    plans: Annotated[tuple[Line, ...], Length(64), Doc("first bytes of their sha256")] = ()
    refused: Annotated[tuple[Line, ...], Length(16), Doc("plans that it cannot run, and why")] = ()
    reset_cause: Annotated[Line | None, Doc("of its last start")] = None
    fault: Annotated[Line | None, Doc("the crash before its last start")] = None


@dataclass(frozen=True)
class Command:
    """One command: the requester writes `init`, the device the rest, the requester clears it."""

    status: Literal["init", "executing", "successful", "failed"]
    args: Tree | None = None
    reason: Line | None = None
    result: Tree | None = None


MESSAGES: dict[type[Channel], type] = {
    StatusChannel: Status,
    ReportedChannel: ReportedConfig,
    ResultsChannel: Result,
    MetricsChannel: Metrics,
    McuStatusChannel: McuStatus,
    CommandChannel: Command,
    **FEDERATED_MESSAGES,
}
"""The message of each channel; `desired` and `schema` carry free JSON objects, updates CBOR, blobs
plain bytes."""

MessageT = TypeVar("MessageT")


def encode(message: Any) -> bytes:
    """Encode a message of this contract.

    Raises:
        MessageError: it holds what JSON cannot, such as NaN.
    """
    return encode_json(to_tree(message))


def decode(kind: type[MessageT], payload: bytes) -> MessageT:
    """Decode a message from outside; unknown keys are ignored.

    Raises:
        MessageError: not JSON, or not of this shape; the text names the first fault.
    """
    parsed = parse(kind, decode_json(payload), unknown="ignore")
    if isinstance(parsed, list):
        raise MessageError(f"{kind.__name__} refused: {parsed[0]}")
    return parsed
