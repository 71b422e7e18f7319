"""The agent's main process as one pure state machine: events and the time in, actions out."""

from collections.abc import Callable

from agent.channel.messages import Answer, Recalled, Snapshot
from agent.control.announcements import Announcements
from agent.control.commands import Commands
from agent.control.delivery import Delivery
from agent.control.events import (
    BRIDGE,
    Action,
    ChildEnded,
    ChildSaid,
    Delivered,
    End,
    Event,
    LinkDown,
    LinkUp,
    Log,
    Measure,
    Now,
    Overflowed,
    Readings,
    Received,
    Remember,
    SetLogLevel,
    Tick,
)
from agent.control.mcus import Microcontrollers
from agent.control.pipelines import Pipelines
from agent.control.presence import Presence
from agent.control.reports import Counters, Identity
from agent.control.shadow import Scope, Shadow
from agent.control.subscriptions import Subscriptions
from agent.control.supervisor import Limits
from agent.learning.samples.store import SampleStore
from agent.outbox.outbox import Outbox
from broker.contract.codec import MAX_JSON_BYTES
from broker.contract.errors import TopicError
from broker.contract.topics import (
    CommandChannel,
    DesiredChannel,
    FleetDesiredChannel,
    McuStatusChannel,
    StatusChannel,
    Topics,
)

STATUS_INTERVAL_MS = 200
"""Changes of state within this time share one status message."""

STOP_LIMIT_MS = 8_000
"""After this the agent leaves without waiting for its children any longer."""


class Agent:
    """One device; `handle` is the only way in, and nothing is done but what it returns."""

    def __init__(
        self,
        identity: Identity,
        shadow: Shadow,
        outbox: Outbox,
        samples: SampleStore,
        random: Callable[[], float],
        limits: Limits | None = None,
    ) -> None:
        self._identity = identity
        self._shadow = shadow
        self._outbox = outbox
        self._topics = Topics(shadow.config.broker.prefix)
        self._pipelines = Pipelines(random, limits)
        self._mcus = Microcontrollers(random, limits)
        self._commands = Commands(self._topics, identity.device, self._pipelines, samples)
        self._announcements = Announcements(
            identity, self._topics, shadow, self._pipelines, self._mcus
        )
        self._presence = Presence(identity.instance)
        self._counters = Counters()
        numbered = self._commands.labelling.answered
        self._delivery = Delivery(outbox, self._topics, identity.device, numbered)
        self._linked = self._left = False
        self._subscriptions = Subscriptions(self._topics, identity.device)
        self._status_due_ms: int | None = None
        self._metrics_due_ms = identity.started_ms
        self._ending: End | None = None
        self._end_due_ms = 0

    def begin(self, now: Now) -> list[Action]:
        """Start what the configuration wants; the link need not be there."""
        return self._configure(now)

    def end(self, now: Now, error: str | None = None, *, again: bool = False) -> list[Action]:
        """Begin to leave: stop the children; `handle` says farewell once they are gone."""
        if self._ending is not None:
            return []
        self._ending = End(error, again)
        self._end_due_ms = now.monotonic_ms + STOP_LIMIT_MS
        return [*self._pipelines.stop_all(now), *self._mcus.stop(now)]

    def handle(self, event: Event, now: Now) -> list[Action]:
        """Take an event and return what must be done, in order."""
        actions: list[Action] = []
        for action in self._dispatch(event, now):
            if isinstance(action, End):
                actions += self.end(now, action.error, again=action.again)
            else:
                actions.append(action)
        if self._left:
            return []  # an `online` after the farewell would stand for ever
        return actions + self._leave_if_done(now)

    def _dispatch(self, event: Event, now: Now) -> list[Action]:
        match event:
            case LinkUp():
                return self._link_up(now)
            case LinkDown():
                return self._link_down(event)
            case Received():
                return self._received(event, now)
            case Delivered():
                return self._delivery.delivered(event)
            case ChildSaid():
                return self._child_said(event, now)
            case ChildEnded():
                return self._child_ended(event, now)
            case Readings():
                return self._measured(event, now)
            case Tick():
                return self._tick(now)
            case Overflowed():
                self._counters.rejected += event.count
                return []

    def due_ms(self) -> int:
        """When a `Tick` has something to do, on the monotonic clock."""
        dues = [
            self._metrics_due_ms,
            self._outbox.due_ms(),
            self._pipelines.due_ms(),
            self._mcus.due_ms(),
            self._commands.due_ms(),
            self._status_due_ms if self._linked else None,
            self._end_due_ms if self._ending else None,
        ]
        return min(due for due in dues if due is not None)

    def publishable(self, now: Now) -> list[Action]:
        """Return the results that may go out now."""
        return self._delivery.publishable(now) if self._linked else []

    def close(self, now: Now) -> None:
        """Put on disk what only memory has."""
        self._outbox.close(now.monotonic_ms)

    def _link_up(self, now: Now) -> list[Action]:
        self._linked = True
        self._counters.connects += 1
        self._presence.connected()
        self._announcements.connected()
        return [
            *self._subscriptions.afresh(self._pipelines.fed_topics()),
            self._announcements.schema(),
            self._announcements.reported(),
            *self._status(now),
            Log("info", f"connected to {self._shadow.config.broker.url}"),
        ]

    def _link_down(self, event: LinkDown) -> list[Action]:
        self._linked = False
        actions: list[Action] = [Log("warning", f"no broker: {event.reason}")]
        if event.taken_over:
            actions.append(End(self._presence.clash(self._identity.device)))
        return actions

    def _received(self, event: Received, now: Now) -> list[Action]:
        actions: list[Action] = []
        fed = event.topic in self._pipelines.fed_topics()
        if fed and len(event.payload) <= MAX_JSON_BYTES:
            actions += self._pipelines.feed(event.topic, event.payload)
        elif fed:
            self._counters.rejected += 1
        try:
            channel = self._topics.channel(event.topic)
        except TopicError:
            self._counters.rejected += not fed
            return actions
        match channel:
            case StatusChannel():
                actions += self._own_status(event.payload, now)
            case McuStatusChannel():
                actions += self._announcements.found(channel, event.payload)
            case DesiredChannel():
                actions += self._desired("device", event.payload, now)
            case FleetDesiredChannel():
                actions += self._desired("fleet", event.payload, now)
            case CommandChannel():
                actions += self._commanded(channel, event.payload, now)
        return actions

    def _own_status(self, payload: bytes, now: Now) -> list[Action]:
        verdict = self._presence.saw(payload, now.monotonic_ms)
        if verdict == "rival":
            return [End(self._presence.clash(self._identity.device))]
        if verdict == "stale" and self._ending is None:
            self._plan_status(now)
        return []

    def _desired(self, scope: Scope, payload: bytes, now: Now) -> list[Action]:
        actions: list[Action] = []
        if self._shadow.desire(scope, payload):
            actions += [Remember(self._shadow.remembered()), *self._configure(now)]
        return [*actions, self._announcements.reported()] if self._linked else actions

    def _commanded(self, channel: CommandChannel, payload: bytes, now: Now) -> list[Action]:
        actions = self._commands.handle(channel, payload, now)
        self._plan_status(now)
        return actions

    def _configure(self, now: Now) -> list[Action]:
        if self._ending is not None:
            return []
        config = self._shadow.config
        actions: list[Action] = [SetLogLevel(config.log_level)]
        actions += self._mcus.configure(config.mcus, now)
        actions += self._pipelines.configure(config.pipelines, now)
        self._outbox.configure(config.outbox)
        due_ms = now.monotonic_ms + int(config.metrics_interval_s * 1000)
        self._metrics_due_ms = min(self._metrics_due_ms, due_ms)
        self._plan_status(now)
        if self._linked:
            actions += self._subscriptions.change(self._pipelines.fed_topics())
        return actions

    def _child_said(self, event: ChildSaid, now: Now) -> list[Action]:
        name, message = event.pipeline, event.message
        if isinstance(message, Snapshot | Recalled):
            return self._commands.answered(message, now)
        if isinstance(message, Answer):
            actions = self._pipelines.child_said(name, message, now)
            if pipeline := self._pipelines.items().get(name):
                actions += self._delivery.answered(name, pipeline, message, now)
            return actions
        before = self._announcements.standing()
        if name == BRIDGE:
            actions = self._mcus.said(message, now)
        else:
            self._commands.labelling.heard(name, message)
            actions = self._pipelines.child_said(name, message, now)
        self._note_change(before, now)
        return actions

    def _child_ended(self, event: ChildEnded, now: Now) -> list[Action]:
        self._plan_status(now)
        if event.pipeline == BRIDGE:
            return self._mcus.ended(event.cause, now)
        return self._pipelines.child_ended(event.pipeline, event.cause, now)

    def _tick(self, now: Now) -> list[Action]:
        before = self._announcements.standing()
        actions = self._pipelines.tick(now) + self._mcus.tick(now) + self._commands.tick(now)
        self._note_change(before, now)
        self._outbox.tend(now.monotonic_ms)
        if now.monotonic_ms >= self._metrics_due_ms:
            interval_ms = int(self._shadow.config.metrics_interval_s * 1000)
            self._metrics_due_ms = now.monotonic_ms + interval_ms
            actions.append(Measure())
        due_ms = self._status_due_ms
        if self._linked and due_ms is not None and now.monotonic_ms >= due_ms:
            actions += self._status(now)
        return actions

    def _leave_if_done(self, now: Now) -> list[Action]:
        if self._ending is None or self._left:
            return []
        stopped = self._pipelines.all_stopped() and self._mcus.is_stopped()
        if not stopped and now.monotonic_ms < self._end_due_ms:
            return []
        self._left = True
        actions: list[Action] = []
        if self._linked and not self._presence.lost:
            actions += self._announcements.farewell(now, self._ending.error)
        return [*actions, self._ending]

    def _measured(self, readings: Readings, now: Now) -> list[Action]:
        if not self._linked:
            return []
        return self._announcements.metrics(self._outbox, self._counters, readings, now)

    def _status(self, now: Now) -> list[Action]:
        self._status_due_ms = None
        return self._announcements.status(now)

    def _note_change(self, before: list[object], now: Now) -> None:
        if self._announcements.standing() != before:
            self._plan_status(now)

    def _plan_status(self, now: Now) -> None:
        if self._status_due_ms is None:
            self._status_due_ms = now.monotonic_ms + STATUS_INTERVAL_MS
