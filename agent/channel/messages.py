"""The messages on the channel; `kind` tells them apart."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from agent.config.sources import PathText
from agent.errors import ChannelError
from broker.contract.fields import Count, Digest, Line, Name, Tree
from broker.contract.messages import Latency, McuMetrics, McuStatus
from broker.contract.shape import Length, Range, parse

Nanoseconds = Annotated[int, Range(0, 2**63 - 1)]
"""Since boot; a `Count` would be full after 104 days."""


@dataclass(frozen=True)
class Ready:
    """Child: the model is loaded and its first answer can come."""

    kind: Literal["ready"]
    model: Line
    runtime: Line
    runtime_reason: Line
    load_ms: float


@dataclass(frozen=True)
class Progress:
    """Child: its loop turned; `source` says what the input does, `warning` what is amiss."""

    kind: Literal["progress"]
    frames: Count
    drops: Count
    source: Line
    warning: Line | None = None


@dataclass(frozen=True)
class Answer:
    """Child: one result; `monotonic_ns` is when its input was captured.

    `runtime` is what computed it if not that of `Ready`; `mcu` is the microcontroller that did.
    """

    kind: Literal["answer"]
    monotonic_ns: Nanoseconds
    outputs: Tree
    latency: Latency
    input: Line | None = None
    runtime: Line | None = None
    mcu: Name | None = None


@dataclass(frozen=True)
class Refused:
    """Child: this configuration or model cannot run, and a restart would not help."""

    kind: Literal["refused"]
    reason: Line


@dataclass(frozen=True)
class Snapshot:
    """Child: what the pipeline saw last, for the command that asked with `id`."""

    kind: Literal["snapshot"]
    id: Line
    result: Tree


@dataclass(frozen=True)
class Recalled:
    """Child: an input that its model was given, for the command that asked with `id`.

    `data` is in base64, and None where the input is not there for a `reason`; real values are
    scale × (stored - zero_point), where scale is above 0.
    """

    kind: Literal["recalled"]
    id: Line
    data: Annotated[str, Length(1_010_000)] | None = None
    dtype: Line = ""
    scale: float = 0.0
    zero_point: int = 0
    reason: Line | None = None


@dataclass(frozen=True)
class Adopted:
    """Child: from here on answers are those of the model that was asked for with `id`."""

    kind: Literal["adopted"]
    id: Line
    model: Line
    runtime: Line
    runtime_reason: Line
    load_ms: float


@dataclass(frozen=True)
class NotAdopted:
    """Child: it goes on with the model that it has; a new child may be able to take the other."""

    kind: Literal["not_adopted"]
    id: Line
    reason: Line


@dataclass(frozen=True)
class Mcu:
    """What the bridge knows of one microcontroller."""

    status: McuStatus
    counts: McuMetrics


@dataclass(frozen=True)
class Mcus:
    """Bridge: how the microcontrollers are; every second, and when that changes."""

    kind: Literal["mcus"]
    mcus: dict[Name, Mcu]


@dataclass(frozen=True)
class Start:
    """Main: the first message, with the pipeline's whole configuration."""

    kind: Literal["start"]
    name: Line
    config: Tree


@dataclass(frozen=True)
class Retune:
    """Main: a new postprocessing for the running pipeline."""

    kind: Literal["retune"]
    postprocess: Tree


@dataclass(frozen=True)
class Feed:
    """Main: a payload for a source that reads an MQTT topic, in base64."""

    kind: Literal["feed"]
    payload: Annotated[str, Length(400_000)]


@dataclass(frozen=True)
class TakeSnapshot:
    """Main: asks for a `Snapshot`."""

    kind: Literal["take_snapshot"]
    id: Line


@dataclass(frozen=True)
class Recall:
    """Main: asks for a `Recalled` of the input of an answer, counted from 0 since `Ready`."""

    kind: Literal["recall"]
    id: Line
    answer: Count


@dataclass(frozen=True)
class ForgetInputs:
    """Main: the inputs that are held for labels are to be forgotten."""

    kind: Literal["forget_inputs"]


@dataclass(frozen=True)
class Adopt:
    """Main: load another model beside the one that serves, and go over to it between two frames.

    `sha256` is that of the file, if it matters; a child answers `Adopted` or `NotAdopted`.
    """

    kind: Literal["adopt"]
    id: Line
    model: PathText
    sha256: Digest | None = None


@dataclass(frozen=True)
class Stop:
    """Main: end in good order."""

    kind: Literal["stop"]


FromChild = Ready | Progress | Answer | Refused | Snapshot | Recalled | Adopted | NotAdopted | Mcus
ToChild = Start | Retune | Feed | TakeSnapshot | Recall | ForgetInputs | Adopt | Stop


def from_child(tree: Any) -> FromChild:
    """Type a message of a child, which is not trusted.

    Raises:
        ChannelError: it is not one of them.
    """
    return _typed(FromChild, tree)  # type: ignore[no-any-return]


def to_child(tree: Any) -> ToChild:
    """Type a message of the main process.

    Raises:
        ChannelError: it is not one of them.
    """
    return _typed(ToChild, tree)  # type: ignore[no-any-return]


def _typed(union: Any, tree: Any) -> Any:
    message = parse(union, tree)
    if isinstance(message, list):
        raise ChannelError(f"message on the channel refused: {message[0]}")
    return message
