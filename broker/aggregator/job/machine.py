"""A job: its rounds in sequence, as a table of transitions whose outcome is journalled.

The state is nothing but the fold of what was journalled, so a restart reads it again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from broker.aggregator.job import events as e
from broker.aggregator.job.happenings import (
    Answered,
    Begin,
    Broke,
    Draw,
    Exported,
    Made,
    Run,
    Stop,
    TooFew,
    Unfit,
    Word,
)
from broker.aggregator.job.judging import refusal
from broker.aggregator.privacy.accountant import epsilon, would_exceed
from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Judged
from broker.contract.federated.job import JobSpec
from broker.contract.federated.outcome import JobOutcome
from broker.contract.federated.round import RoundReport

KEPT_REPORTS = 200


class State(Enum):
    """Where a job stands; the names are those of `JobStatus`."""

    WAITING = "waiting"
    RUNNING = "running"
    EVALUATING = "evaluating"
    PUBLISHING = "publishing"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


S = State
TABLE: dict[tuple[State, type], str] = {
    (S.WAITING, Begin): "open",
    (S.WAITING, Stop): "stop",
    (S.RUNNING, Made): "go_on",
    (S.RUNNING, TooFew): "try_again",
    (S.RUNNING, Broke): "fail",
    (S.RUNNING, Stop): "stop",
    (S.EVALUATING, Answered): "conclude",
    (S.EVALUATING, Stop): "stop",
    (S.PUBLISHING, Exported): "ship",
    (S.PUBLISHING, Unfit): "keep_back",
    (S.PUBLISHING, Stop): "stop",
    (S.STOPPED, Run): "open",
}
"""Every pair that is not here changes nothing."""


@dataclass
class Job:
    """One job; `handle` is the only way in.

    Attributes:
        finished: rounds that made a model.
        opened: rounds that were opened.
        lapses: rounds in a row that lapsed.
        updates: counted in all rounds together.
        round: the one that is open.
        asked: how devices were asked to judge the final model, while they are.
        number: of the last round, or of that question.
        model: the newest one; at first, that of the job.
        judged: what they said.
        release: number of the last outcome that was begun.
        superseded: the manifest that this one takes the place of.
    """

    spec: JobSpec
    state: State = State.WAITING
    finished: int = 0
    opened: int = 0
    lapses: int = 0
    updates: int = 0
    number: int = 0
    round: e.Opened | None = None
    asked: e.Asked | None = None
    model: BlobRef = field(init=False)
    control: BlobRef | None = None
    reason: str | None = None
    judged: Judged | None = None
    release: int = 0
    superseded: BlobRef | None = None
    outcome: JobOutcome | None = None
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
                self.updates += event.report.updates
                self.history = [*self.history, event.report][-KEPT_REPORTS:]
            case e.Lapsed():
                self.lapses, self.round, self.reason = self.lapses + 1, None, event.reason
            case e.Asked():
                self.state, self.asked, self.number = S.EVALUATING, event, event.number
                self.reason = None
            case e.Evaluated():
                self.state, self.asked, self.judged = S.PUBLISHING, None, event.judged
                self.release, self.superseded = event.number, event.superseded
            case e.Released():
                self.outcome = event.outcome
            case e.Ended():
                self.state, self.reason = State(event.state), event.reason
                self.round = self.asked = None

    def _journal(self, *events: e.Event) -> list[e.Event]:
        self.replay(events)
        return list(events)

    def _open(self, _: Word, draw: Draw) -> list[e.Event]:
        if self.finished >= self.spec.rounds:
            return self._finish(draw)
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

    def _finish(self, draw: Draw) -> list[e.Event]:
        if not self.spec.judges:
            return self._conclude(Answered(None), draw)
        last = self.history[-1].updates if self.history else 1
        goal = self.spec.evaluation.goal or max(1, last)
        return self._journal(e.Asked(self.number + 1, draw.now_ms, goal))

    def _conclude(self, word: Answered, draw: Draw) -> list[e.Event]:
        before = draw.before
        number = max(self.release, 0 if before is None else before.release) + 1
        evaluated = e.Evaluated(number, word.judged, None if before is None else before.manifest)
        journalled = self._journal(evaluated)
        if self.spec.outcome is None:
            return journalled + self._journal(e.Ended("done"))
        if why := refusal(self.spec, word.judged):
            return journalled + self._keep_back(Unfit(number, why), draw)
        return journalled

    def _ship(self, word: Exported, _: Draw) -> list[e.Event]:
        if word.number != self.release:
            return []
        return self._journal(e.Released(self._outcome(manifest=word.manifest)), e.Ended("done"))

    def _keep_back(self, word: Unfit, _: Draw) -> list[e.Event]:
        if word.number != self.release:
            return []
        why = word.reason[:380]
        return self._journal(
            e.Released(self._outcome(reason=why)), e.Ended("done", f"not shipped: {why}")
        )

    def _outcome(self, manifest: BlobRef | None = None, reason: str | None = None) -> JobOutcome:
        return JobOutcome(
            job=self.spec.id,
            release=self.release,
            shipped=manifest is not None,
            manifest=manifest,
            reason=reason,
            judged=self.judged,
            epsilon=self.epsilon,
            delta=None if self.epsilon is None else self.spec.privacy.delta,
        )

    def _fail(self, word: Broke, _: Draw) -> list[e.Event]:
        return self._journal(e.Ended("failed", word.reason[:400]))

    def _stop(self, word: Stop, _: Draw) -> list[e.Event]:
        return self._journal(e.Ended("stopped", word.reason[:400]))


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation."""
    ends = {
        "open": (S.RUNNING, S.EVALUATING, S.PUBLISHING, S.STOPPED),
        "stop": (S.STOPPED,),
        "go_on": (S.RUNNING, S.EVALUATING, S.PUBLISHING, S.DONE, S.STOPPED),
        "conclude": (S.PUBLISHING, S.DONE),
        "ship": (S.DONE,),
        "keep_back": (S.DONE,),
        "try_again": (S.RUNNING, S.FAILED),
        "fail": (S.FAILED,),
    }
    lines = ["stateDiagram-v2", "    [*] --> waiting"]
    for (state, word), transition in TABLE.items():
        label = f"{word.__name__.lower()} / {transition.replace('_', ' ')}"
        lines += [f"    {state.value} --> {t.value}: {label}" for t in ends[transition]]
    return "\n".join(lines) + "\n"
