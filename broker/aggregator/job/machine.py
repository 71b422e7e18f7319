"""A job: its rounds in sequence, as a table of transitions whose outcome is journalled.

The state is nothing but the fold of what was journalled, so a restart reads it again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from broker.aggregator.job import events as e
from broker.aggregator.privacy.accountant import epsilon, would_exceed
from broker.contract.blobs import BlobRef
from broker.contract.federated.job import JobSpec
from broker.contract.federated.round import RoundReport

KEPT_REPORTS = 200


class State(Enum):
    """Where a job stands; the names are those of `JobStatus`."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Begin:
    """The first model is there."""


@dataclass(frozen=True)
class Made:
    """The round that was open has made a model."""

    closed: e.Closed


@dataclass(frozen=True)
class TooFew:
    """The round that was open has lapsed."""

    reason: str


@dataclass(frozen=True)
class Broke:
    """No model can be made any more."""

    reason: str


@dataclass(frozen=True)
class Stop:
    """The operator wants the job to stop."""

    reason: str


@dataclass(frozen=True)
class Run:
    """The operator wants the job to run."""


Word = Begin | Made | TooFew | Broke | Stop | Run
S = State
TABLE: dict[tuple[State, type], str] = {
    (S.WAITING, Begin): "open",
    (S.WAITING, Stop): "stop",
    (S.RUNNING, Made): "go_on",
    (S.RUNNING, TooFew): "try_again",
    (S.RUNNING, Broke): "fail",
    (S.RUNNING, Stop): "stop",
    (S.STOPPED, Run): "open",
}
"""Every pair that is not here changes nothing."""


@dataclass(frozen=True)
class Draw:
    """What chance and the clock give to a round, should one be opened."""

    now_ms: int
    seed: str
    key: str


@dataclass
class Job:
    """One job; `handle` is the only way in.

    Attributes:
        finished: rounds that made a model.
        opened: rounds that were opened.
        lapses: rounds in a row that lapsed.
        round: the one that is open.
        number: of the last round.
        model: the newest one; at first, that of the job.
    """

    spec: JobSpec
    state: State = State.WAITING
    finished: int = 0
    opened: int = 0
    lapses: int = 0
    number: int = 0
    round: e.Opened | None = None
    model: BlobRef = field(init=False)
    control: BlobRef | None = None
    reason: str | None = None
    history: list[RoundReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model = self.spec.model.initial

    def replay(self, events: Iterable[e.Event]) -> None:
        """After a restart: what was journalled."""
        for event in events:
            self._apply(event)

    def handle(self, word: Word, draw: Draw) -> list[e.Event]:
        """Take a word, and return what to journal; it has taken effect here."""
        transition = TABLE.get((self.state, type(word)))
        if transition is None:
            return []
        journalled: list[e.Event] = getattr(self, f"_{transition}")(word, draw)
        return journalled

    @property
    def epsilon(self) -> float | None:
        """Privacy spent so far."""
        return epsilon(self.spec.privacy, self._spent)

    @property
    def _spent(self) -> int:
        """Under local privacy a device pays when it sends, whatever becomes of the round."""
        return self.opened if self.spec.privacy.mode == "local" else self.finished

    def _apply(self, event: e.Event) -> None:
        match event:
            case e.Opened():
                self.state, self.round, self.number = S.RUNNING, event, event.number
                self.opened, self.reason = self.opened + 1, None
            case e.Closed():
                self.finished, self.lapses, self.round = self.finished + 1, 0, None
                self.model, self.control = event.model, event.control
                self.history = [*self.history, event.report][-KEPT_REPORTS:]
            case e.Lapsed():
                self.lapses, self.round, self.reason = self.lapses + 1, None, event.reason
            case e.Ended():
                self.state, self.round, self.reason = State(event.state), None, event.reason

    def _journal(self, *events: e.Event) -> list[e.Event]:
        self.replay(events)
        return list(events)

    def _open(self, _: Word, draw: Draw) -> list[e.Event]:
        if self.finished >= self.spec.rounds:
            return self._journal(e.Ended("done"))
        if why := would_exceed(self.spec.privacy, self._spent):
            return self._journal(e.Ended("stopped", why))
        return self._journal(e.Opened(self.number + 1, draw.now_ms, draw.seed, draw.key))

    def _go_on(self, word: Made, draw: Draw) -> list[e.Event]:
        return self._journal(word.closed) + self._open(word, draw)

    def _try_again(self, word: TooFew, draw: Draw) -> list[e.Event]:
        lapsed = self._journal(e.Lapsed(self.number, word.reason[:400]))
        if self.lapses > self.spec.participation.retries:
            why = f"{self.lapses} rounds in a row lapsed: {word.reason}"
            return lapsed + self._journal(e.Ended("failed", why[:400]))
        return lapsed + self._open(word, draw)

    def _fail(self, word: Broke, _: Draw) -> list[e.Event]:
        return self._journal(e.Ended("failed", word.reason[:400]))

    def _stop(self, word: Stop, _: Draw) -> list[e.Event]:
        return self._journal(e.Ended("stopped", word.reason[:400]))


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation."""
    ends = {
        "open": (S.RUNNING, S.STOPPED),
        "stop": (S.STOPPED,),
        "go_on": (S.RUNNING, S.DONE, S.STOPPED),
        "try_again": (S.RUNNING, S.FAILED),
        "fail": (S.FAILED,),
    }
    lines = ["stateDiagram-v2", "    [*] --> waiting"]
    for (state, word), transition in TABLE.items():
        label = f"{word.__name__.lower()} / {transition.replace('_', ' ')}"
        lines += [f"    {state.value} --> {t.value}: {label}" for t in ends[transition]]
    return "\n".join(lines) + "\n"
