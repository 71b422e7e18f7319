"""What happens to the agent, and what it then asks its adapters to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.channel.messages import FromChild, ToChild
from agent.config.device import PipelineConfig
from agent.config.mcus import McuConfig
from agent.learning.learner.request import Report, Request
from agent.models.request import Report as InstallerReport
from agent.models.request import Request as InstallerRequest

BRIDGE = "bridge of microcontrollers"
"""Where a pipeline's name would be; no pipeline can be called so."""


@dataclass(frozen=True)
class Now:
    """The time, as an argument.

    Attributes:
        monotonic_ms: never jumps; every deadline is on it.
        unix_ms: for people; may be wrong until `synced`.
    """

    monotonic_ms: int
    unix_ms: int
    synced: bool


@dataclass(frozen=True)
class LinkUp:
    """The broker accepted us."""


@dataclass(frozen=True)
class LinkDown:
    """The broker is gone, or could not be reached.

    Attributes:
        taken_over: another client has our client id; to come back would start a fight.
    """

    reason: str
    taken_over: bool = False


@dataclass(frozen=True)
class Received:
    """A message came from the broker; a retained one may be of any age."""

    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True)
class Overflowed:
    """So many messages from the broker came faster than they could be read, and were dropped."""

    count: int


@dataclass(frozen=True)
class Delivered:
    """The broker answered the publication of an outbox row.

    Attributes:
        refused: why the broker does not want it, as MQTT 5 can say; it will not do so later either.
    """

    row_id: int
    refused: str | None = None


@dataclass(frozen=True)
class Receipt:
    """Which slice of an update a publication is; `attempt` tells an earlier sending apart."""

    job: str
    round: int
    slice: int
    attempt: int


@dataclass(frozen=True)
class Taken:
    """The broker answered the publication of a slice; `refused` as for `Delivered`."""

    receipt: Receipt
    refused: str | None = None


@dataclass(frozen=True)
class LearnerEnded:
    """A learner is gone, with its report or with the reason why there is none."""

    token: int
    report: Report | None = None
    reason: str = ""


@dataclass(frozen=True)
class ChildSaid:
    """A pipeline child sent a message."""

    pipeline: str
    message: FromChild


@dataclass(frozen=True)
class ChildEnded:
    """A pipeline child is gone; `cause` is for people."""

    pipeline: str
    cause: str


@dataclass(frozen=True)
class Readings:
    """What the machine's counters say, for `metrics`.

    Attributes:
        children: resident bytes and CPU percent of each pipeline's child.
    """

    rss_bytes: int
    cpu_percent: float
    written_bytes: int
    temperature_c: float | None
    children: Mapping[str, tuple[int, float]]


@dataclass(frozen=True)
class Installed:
    """An installer is gone; its report says what it found, or why it could not."""

    token: int
    report: InstallerReport


@dataclass(frozen=True)
class Tick:
    """Time passed."""


LinkEvent = LinkUp | LinkDown | Received | Delivered | Taken
Event = LinkEvent | Overflowed | ChildSaid | ChildEnded | LearnerEnded | Installed | Readings | Tick


@dataclass(frozen=True)
class Publish:
    """Send to the broker; `row_id` asks for a `Delivered`, `receipt` for a `Taken`."""

    topic: str
    payload: bytes
    retain: bool
    row_id: int | None = None
    receipt: Receipt | None = None


@dataclass(frozen=True)
class Subscribe:
    """Ask the broker for these filters."""

    filters: tuple[str, ...]


@dataclass(frozen=True)
class Unsubscribe:
    """No longer ask for these."""

    filters: tuple[str, ...]


@dataclass(frozen=True)
class Spawn:
    """Start a pipeline's child."""

    pipeline: str
    config: PipelineConfig


@dataclass(frozen=True)
class SpawnBridge:
    """Start the bridge; it speaks and is spoken to under the name `BRIDGE`."""

    mcus: Mapping[str, McuConfig]


@dataclass(frozen=True)
class StartLearner:
    """Start a learner; how it ends is told as `LearnerEnded`."""

    token: int
    request: Request


@dataclass(frozen=True)
class StopLearner:
    """End a learner at once, so that it reads no samples any more; nothing is told."""

    token: int


@dataclass(frozen=True)
class Tell:
    """Send a message to a pipeline's child."""

    pipeline: str
    message: ToChild


@dataclass(frozen=True)
class Kill:
    """End a pipeline's child at once."""

    pipeline: str


@dataclass(frozen=True)
class StartInstaller:
    """Have an installer work on a release; what comes of it is told as `Installed`."""

    token: int
    request: InstallerRequest


@dataclass(frozen=True)
class StopInstaller:
    """End an installer at once, since nobody waits for it; nothing is told."""

    token: int


@dataclass(frozen=True)
class Remember:
    """Keep the remote configuration through a restart."""

    document: dict[str, Any]


@dataclass(frozen=True)
class SetLogLevel:
    """Log from this level on."""

    level: str


@dataclass(frozen=True)
class Measure:
    """Read the machine's counters and hand them in as `Readings`."""


@dataclass(frozen=True)
class Log:
    """Tell whoever reads the journal."""

    level: str
    text: str


@dataclass(frozen=True)
class End:
    """Leave in good order; with an error unless `error` is None, and begin again if `again`."""

    error: str | None = None
    again: bool = False


Errand = StartLearner | StopLearner | StartInstaller | StopInstaller
ChildAction = Spawn | SpawnBridge | Tell | Kill | Errand
Action = (
    ChildAction | Publish | Subscribe | Unsubscribe | Remember | SetLogLevel | Measure | Log | End
)
