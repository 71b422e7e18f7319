"""The life of one pipeline child: a table of transitions, driven by events and the time.

A child that makes no progress within its deadline is killed; one that ends is restarted after a
wait that doubles; one that keeps ending, or that says a restart would not help, is `failed`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from agent.control.backoff import Backoff


class State(Enum):
    """Where a pipeline stands; the values are those of `PipelineStatus.state`."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    FAILED = "failed"


class Event(Enum):
    """What can happen to a pipeline."""

    START = "wanted"
    STOP = "unwanted"
    RESTART = "restart wanted"
    READY = "child ready"
    PROGRESS = "child progressed"
    REFUSED = "child refused"
    EXITED = "child ended"
    DUE = "timer due"


class Effect(Enum):
    """What the adapter must do."""

    SPAWN = "spawn"
    ASK_TO_STOP = "ask to stop"
    KILL = "kill"


@dataclass(frozen=True)
class Limits:
    """Times and counts of supervision.

    Attributes:
        start_ms: time for a child to load its model; a Pi Zero 2 needs seconds.
        stop_ms: time for a child to end in good order.
        crashes: so many ends within `window_ms` make a pipeline failed.
    """

    start_ms: int = 60_000
    stop_ms: int = 3_000
    crashes: int = 5
    window_ms: int = 600_000
    backoff: Backoff = Backoff(floor_s=0.2, first_s=0.5, most_s=30.0)


S, E = State, Event
TABLE: dict[tuple[State, Event], str] = {
    (S.STOPPED, E.START): "spawn",
    (S.STOPPED, E.RESTART): "spawn",
    (S.STARTING, E.READY): "serve",
    (S.STARTING, E.PROGRESS): "extend_start",
    (S.STARTING, E.REFUSED): "give_up",
    (S.STARTING, E.EXITED): "retry",
    (S.STARTING, E.DUE): "kill_stuck",
    (S.STARTING, E.STOP): "stop",
    (S.STARTING, E.RESTART): "respawn",
    (S.RUNNING, E.PROGRESS): "extend",
    (S.RUNNING, E.REFUSED): "give_up",
    (S.RUNNING, E.EXITED): "retry",
    (S.RUNNING, E.DUE): "kill_stuck",
    (S.RUNNING, E.STOP): "stop",
    (S.RUNNING, E.RESTART): "respawn",
    (S.STOPPING, E.EXITED): "after_stop",
    (S.STOPPING, E.DUE): "kill",
    (S.STOPPING, E.START): "want_again",
    (S.STOPPING, E.RESTART): "want_again",
    (S.STOPPING, E.STOP): "forget",
    (S.BACKOFF, E.DUE): "spawn",
    (S.BACKOFF, E.STOP): "settle",
    (S.BACKOFF, E.RESTART): "spawn_afresh",
    (S.FAILED, E.STOP): "settle",
    (S.FAILED, E.RESTART): "spawn_afresh",
}
"""Every pair that is not here changes nothing."""


@dataclass
class Supervisor:
    """One pipeline under supervision; `handle` is the only way in."""

    deadline_ms: int
    random: Callable[[], float]
    limits: Limits = Limits()
    state: State = State.STOPPED
    reason: str | None = None
    restarts: int = 0
    due_ms: int | None = None
    _ends_ms: list[int] = field(default_factory=list)
    _stuck: str | None = None
    _refused: bool = False
    _again: bool = False

    def handle(self, event: Event, now_ms: int, detail: str = "") -> list[Effect]:
        """Take an event and return what must be done; `detail` is the cause, for people."""
        if event is Event.DUE and (self.due_ms is None or now_ms < self.due_ms):
            return []
        transition = TABLE.get((self.state, event))
        if transition is None:
            return []
        effects: list[Effect] = getattr(self, f"_{transition}")(now_ms, detail)
        return effects

    def _enter(self, state: State, due_ms: int | None = None, reason: str | None = None) -> None:
        self.state, self.due_ms, self.reason = state, due_ms, reason

    @property
    def is_doomed(self) -> bool:
        """Killed or told to stop: nothing that the child still says may put its end off."""
        return self._stuck is not None or self._refused

    def _spawn(self, now_ms: int, _: str) -> list[Effect]:
        if self.state is State.BACKOFF:
            self.restarts += 1
        self._stuck, self._refused, self._again = None, False, False
        self._enter(State.STARTING, now_ms + max(self.limits.start_ms, self.deadline_ms))
        return [Effect.SPAWN]

    def _spawn_afresh(self, now_ms: int, detail: str) -> list[Effect]:
        self._ends_ms.clear()
        return self._spawn(now_ms, detail)

    def _serve(self, now_ms: int, _: str) -> list[Effect]:
        if self.is_doomed:
            return []
        self._enter(State.RUNNING, now_ms + self.deadline_ms)
        return []

    def _extend(self, now_ms: int, _: str) -> list[Effect]:
        if not self.is_doomed:
            self.due_ms = now_ms + self.deadline_ms
        return []

    def _extend_start(self, now_ms: int, _: str) -> list[Effect]:
        if not self.is_doomed:
            self.due_ms = now_ms + max(self.limits.start_ms, self.deadline_ms)
        return []

    def _kill_stuck(self, now_ms: int, _: str) -> list[Effect]:
        silent_ms = self.deadline_ms
        if self.state is State.STARTING:
            silent_ms = max(self.limits.start_ms, self.deadline_ms)
        self._stuck = f"stuck: no progress for {silent_ms} ms"
        self.due_ms = now_ms + self.limits.stop_ms
        return [Effect.KILL]

    def _kill(self, now_ms: int, _: str) -> list[Effect]:
        self.due_ms = now_ms + self.limits.stop_ms
        return [Effect.KILL]

    def _give_up(self, now_ms: int, detail: str) -> list[Effect]:
        if self.is_doomed:
            return []
        self._refused = True
        self.reason = detail
        self.due_ms = now_ms + self.limits.stop_ms
        return [Effect.ASK_TO_STOP]

    def _retry(self, now_ms: int, detail: str) -> list[Effect]:
        if self._refused:
            self._enter(State.FAILED, reason=self.reason)
            return []
        cause = self._stuck or detail
        since_ms = now_ms - self.limits.window_ms
        self._ends_ms = [end_ms for end_ms in self._ends_ms if end_ms > since_ms]
        self._ends_ms.append(now_ms)
        ends = len(self._ends_ms)
        if ends >= self.limits.crashes:
            minutes = self.limits.window_ms / 60_000
            self._enter(
                State.FAILED, reason=f"{cause} ({ends} times within {minutes:g} min); given up"
            )
            return []
        wait_s = self.limits.backoff.wait_s(ends - 1, self.random)
        self._enter(State.BACKOFF, now_ms + int(wait_s * 1000), cause)
        return []

    def _stop(self, now_ms: int, _: str) -> list[Effect]:
        self._again = False
        self._enter(State.STOPPING, now_ms + self.limits.stop_ms)
        return [Effect.ASK_TO_STOP]

    def _respawn(self, now_ms: int, detail: str) -> list[Effect]:
        effects = self._stop(now_ms, detail)
        self._again = True
        return effects

    def _want_again(self, _: int, __: str) -> list[Effect]:
        self._again = True
        return []

    def _forget(self, _: int, __: str) -> list[Effect]:
        self._again = False
        return []

    def _after_stop(self, now_ms: int, detail: str) -> list[Effect]:
        self._ends_ms.clear()
        if self._again:
            return self._spawn(now_ms, detail)
        self._enter(State.STOPPED)
        return []

    def _settle(self, _: int, __: str) -> list[Effect]:
        self._ends_ms.clear()
        self._enter(State.STOPPED)
        return []


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation."""
    ends = {
        "spawn": S.STARTING,
        "spawn_afresh": S.STARTING,
        "serve": S.RUNNING,
        "retry": S.BACKOFF,
        "stop": S.STOPPING,
        "respawn": S.STOPPING,
        "after_stop": S.STOPPED,
        "settle": S.STOPPED,
    }
    lines = ["stateDiagram-v2", "    [*] --> stopped"]
    for (state, event), transition in TABLE.items():
        target = ends.get(transition, state)
        label = f"{event.value} / {transition.replace('_', ' ')}"
        lines.append(f"    {state.value} --> {target.value}: {label}")
        if transition == "retry":
            lines.append(f"    {state.value} --> failed: {event.value} too often, or refused")
        if transition == "after_stop":
            lines.append(f"    {state.value} --> starting: {event.value}, wanted again")
    return "\n".join(lines) + "\n"
