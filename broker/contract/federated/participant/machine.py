"""A device in the rounds of one job: a table of transitions, driven by events and the time.

An update that is encoded is kept on the disk until the aggregator has said what became of it or
the round has ended, so a device that restarts goes on with it in the same round. Whatever the
aggregator does not confirm is sent again, ever less often.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from broker.contract.federated.errors import UpdateError
from broker.contract.federated.participant import words as w
from broker.contract.federated.slices import numbers_in


class State(Enum):
    """Where a device stands in the round that is open."""

    IDLE = "idle"
    FETCHING = "fetching"
    TRAINING = "training"
    UPLOADING = "uploading"
    ACKNOWLEDGED = "acknowledged"
    ABORTED = "aborted"


@dataclass(frozen=True)
class Limits:
    """Times and counts of taking part.

    Attributes:
        retry_ms: wait before what failed, or what nobody confirms, is tried again; doubles.
        longest_retry_ms: the longest such wait.
        trainings: so many failures of the learner end the round for this device.
    """

    retry_ms: int = 10_000
    longest_retry_ms: int = 300_000
    trainings: int = 2


S = State
BUSY = (S.FETCHING, S.TRAINING, S.UPLOADING)
OVER = (S.ACKNOWLEDGED, S.ABORTED)
TABLE: dict[tuple[State, type], str] = {
    (S.IDLE, w.Settled): "recall",
    (S.IDLE, w.Kept): "keep",
    (S.IDLE, w.Opened): "begin",
    (S.IDLE, w.Passed): "sit_out",
    (S.IDLE, w.Ended): "end",
    (S.IDLE, w.Withdrawn): "disown",
    (S.FETCHING, w.Fetched): "train",
    (S.FETCHING, w.FetchFailed): "fetch_later",
    (S.FETCHING, w.Due): "fetch_again",
    (S.TRAINING, w.Trained): "upload",
    (S.TRAINING, w.TrainFailed): "train_later",
    (S.TRAINING, w.Due): "train_again",
    (S.UPLOADING, w.Flushed): "await_word",
    (S.UPLOADING, w.Lacking): "fill_gaps",
    (S.UPLOADING, w.Acked): "settle",
    (S.UPLOADING, w.Due): "send",
    (S.UPLOADING, w.Withdrawn): "withdraw",
    (S.UPLOADING, w.Down): "hold",
    (S.UPLOADING, w.Up): "send",
    **{(state, w.Opened): "renew" for state in (*BUSY, *OVER)},
    **{(state, w.Passed): "leave" for state in (*BUSY, *OVER)},
    **{(state, w.Ended): "end" for state in (*BUSY, *OVER)},
    **{
        (state, event): "end"
        for state in (S.FETCHING, S.TRAINING)
        for event in (w.Unable, w.Withdrawn)
    },
}
"""Every pair that is not here changes nothing."""

ABOUT_A_ROUND = (
    *(w.Fetched, w.FetchFailed, w.Trained, w.TrainFailed),
    *(w.Flushed, w.Acked, w.Lacking),
)
"""Events that may come late, about a round that is over."""


@dataclass
class Participant:
    """One device in one job; `handle` is the only way in.

    Attributes:
        random: uniform in [0, 1); spreads the retries of a fleet.
        task: the round that it is in.
        settled: the last round that is over for this device, whatever it still hears of it.
        kept: the update that waits on the disk.
        reason: why it is not at work, for people.
        due_ms: when to feed `Due`.
    """

    random: Callable[[], float]
    limits: Limits = Limits()
    state: State = State.IDLE
    task: w.Task | None = None
    settled: w.Key | None = None
    kept: w.Kept | None = None
    reason: str | None = None
    due_ms: int | None = None
    _up: bool = False
    _outstanding: tuple[int, ...] = field(default=())
    _failures: int = 0

    def handle(self, event: w.Event, now_ms: int) -> list[w.Effect]:
        """Take an event and return what must be done, in this order."""
        if isinstance(event, w.Up | w.Down):
            self._up = isinstance(event, w.Up)
        if isinstance(event, w.Due) and (self.due_ms is None or now_ms < self.due_ms):
            return []
        if isinstance(event, w.Trained) and self._is_stray(event):
            return [w.Discard(event.key)]
        if isinstance(event, ABOUT_A_ROUND) and event.key != self._key:
            return []
        transition = TABLE.get((self.state, type(event)))
        if transition is None:
            return []
        effects: list[w.Effect] = getattr(self, f"_{transition}")(event, now_ms)
        return effects

    @property
    def _key(self) -> w.Key | None:
        return self.task.key if self.task is not None else None

    def _the_task(self) -> w.Task:
        assert self.task is not None, "a busy participant has a task"
        return self.task

    def _is_stray(self, event: w.Trained) -> bool:
        """A learner was done before it could be halted: nobody waits for its update."""
        if self.state is State.TRAINING and event.key == self._key:
            return False
        return self.kept is None or self.kept.key != event.key

    def _enter(self, state: State, reason: str | None = None) -> None:
        self.state, self.reason, self.due_ms, self._failures = state, reason, None, 0

    def _wait(self, now_ms: int) -> None:
        longest = min(self.limits.retry_ms << self._failures, self.limits.longest_retry_ms)
        self.due_ms = now_ms + int(longest * (0.5 + 0.5 * self.random()))
        self._failures += 1

    def _recall(self, event: w.Settled, _: int) -> list[w.Effect]:
        self.settled = event.key
        return []

    def _keep(self, event: w.Kept, _: int) -> list[w.Effect]:
        self.kept = event
        return []

    def _begin(self, event: w.Opened, now_ms: int) -> list[w.Effect]:
        self.task = event.task
        if self.settled == event.task.key:
            self._enter(State.ACKNOWLEDGED, "took part before the restart")
            return self._drop()
        if self.kept is not None and self.kept.key == event.task.key:
            return self._upload(w.Trained(self.kept.key, self.kept.slices), now_ms)
        self._enter(State.FETCHING)
        return [*self._drop(), w.Fetch(event.task)]

    def _renew(self, event: w.Opened, now_ms: int) -> list[w.Effect]:
        """The message of the same round comes again with every new link."""
        if event.task.key == self._key:
            return []
        return self._end(w.Ended("another round is open"), now_ms) + self._begin(event, now_ms)

    def _sit_out(self, event: w.Passed, _: int) -> list[w.Effect]:
        self.reason = event.reason
        return self._drop()

    def _leave(self, event: w.Passed, now_ms: int) -> list[w.Effect]:
        if event.key == self._key:
            return []
        return self._end(w.Ended(event.reason), now_ms)

    def _end(self, event: w.Ended | w.Unable | w.Withdrawn, _: int) -> list[w.Effect]:
        halt: list[w.Effect] = [w.Halt()] if self.state in (S.FETCHING, S.TRAINING) else []
        self._enter(State.IDLE, event.reason)
        self.task = None
        return halt + self._drop()

    def _withdraw(self, event: w.Withdrawn, now_ms: int) -> list[w.Effect]:
        self._enter(State.ABORTED, event.reason)
        return self._disown(event, now_ms)

    def _disown(self, _: w.Withdrawn, __: int) -> list[w.Effect]:
        """Slices may have been sent, so another update of this round would be mixed with them."""
        if self.kept is None:
            return []
        self.settled, self.kept = self.kept.key, None
        return [w.Settle(self.settled, counted=False)]

    def _drop(self) -> list[w.Effect]:
        """Let go of an update that can no longer count."""
        kept, self.kept = self.kept, None
        return [] if kept is None else [w.Discard(kept.key)]

    def _fetch_later(self, event: w.FetchFailed, now_ms: int) -> list[w.Effect]:
        self.reason = event.reason
        self._wait(now_ms)
        return []

    def _fetch_again(self, _: w.Due, __: int) -> list[w.Effect]:
        self.due_ms = None
        return [w.Fetch(self._the_task())]

    def _train(self, _: w.Fetched, __: int) -> list[w.Effect]:
        self._enter(State.TRAINING)
        return [w.Train(self._the_task())]

    def _train_later(self, event: w.TrainFailed, now_ms: int) -> list[w.Effect]:
        self.reason = event.reason
        if self._failures + 1 >= self.limits.trainings:
            self._enter(State.ABORTED, event.reason)
            return []
        self._wait(now_ms)
        return []

    def _train_again(self, _: w.Due, __: int) -> list[w.Effect]:
        self.due_ms = None
        return [w.Train(self._the_task())]

    def _upload(self, event: w.Trained, now_ms: int) -> list[w.Effect]:
        self._enter(State.UPLOADING)
        self.kept = w.Kept(event.key, event.slices)
        self._outstanding = tuple(range(event.slices))
        return self._send(event, now_ms)

    def _send(self, _: w.Event, __: int) -> list[w.Effect]:
        """With a link: all that is not known to have arrived."""
        self.due_ms = None
        return [w.Send(self._the_task().key, self._outstanding)] if self._up else []

    def _hold(self, _: w.Down, __: int) -> list[w.Effect]:
        self.due_ms = None
        return []

    def _await_word(self, _: w.Flushed, now_ms: int) -> list[w.Effect]:
        if self.due_ms is None:
            self._wait(now_ms)
        return []

    def _fill_gaps(self, event: w.Lacking, now_ms: int) -> list[w.Effect]:
        """The aggregator names what it lacks, so the rest is safe with it."""
        slices = self.kept.slices if self.kept is not None else 0
        try:
            told = tuple(numbers_in(event.missing.slices, slices))
        except UpdateError:
            return []
        if not told:
            return []
        self._outstanding, self._failures = told, 0
        return self._send(event, now_ms)

    def _settle(self, event: w.Acked, _: int) -> list[w.Effect]:
        ack = event.ack
        if ack.refused is None and not ack.whole:
            return []
        counted = ack.counted and ack.refused is None
        if ack.refused is not None:
            self._enter(State.ABORTED, f"refused: {ack.refused}")
        else:
            self._enter(State.ACKNOWLEDGED, None if counted else "came too late to count")
        self.settled, self.kept = event.key, None
        return [w.Settle(event.key, counted)]


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation."""
    ends = {
        "begin": (S.FETCHING, S.UPLOADING, S.ACKNOWLEDGED),
        "renew": (S.FETCHING,),
        "sit_out": (S.IDLE,),
        "leave": (S.IDLE,),
        "end": (S.IDLE,),
        "withdraw": (S.ABORTED,),
        "train": (S.TRAINING,),
        "train_later": (S.TRAINING, S.ABORTED),
        "upload": (S.UPLOADING,),
        "settle": (S.ACKNOWLEDGED, S.ABORTED),
    }
    lines = ["stateDiagram-v2", "    [*] --> idle"]
    for (state, event), transition in TABLE.items():
        label = f"{event.__name__.lower()} / {transition.replace('_', ' ')}"
        targets = ends.get(transition, (state,))
        lines += [f"    {state.value} --> {target.value}: {label}" for target in targets]
    return "\n".join(lines) + "\n"
