"""The agent's main process as one pure state machine: events and the time in, actions out."""

from collections.abc import Callable

from agent.blobs.blobs import Blobs
from agent.channel.messages import Answer
from agent.control.adopter import World
from agent.control.adoptions import Adoptions
from agent.control.announcements import Announcements
from agent.control.children import Children
from agent.control.commands import Commands
from agent.control.delivery import Delivery
from agent.control.events import (
    Action,
    ChildEnded,
    ChildSaid,
    Delivered,
    End,
    Event,
    LinkDown,
    LinkUp,
    Log,
    Now,
    Overflowed,
    Readings,
    Received,
    Remember,
    SetLogLevel,
    Tick,
)
from agent.control.mcus import Microcontrollers
from agent.control.part import Part
from agent.control.pipelines import Pipelines
from agent.control.presence import Presence
from agent.control.reports import Counters, Identity
from agent.control.shadow import Scope, Shadow
from agent.control.stores import Stores
from agent.control.subscriptions import Subscriptions
from agent.control.supervisor import Limits
from agent.control.timetable import Timetable
from agent.learning.jobs.jobs import Jobs
from agent.learning.jobs.kit import Kit
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

STOP_LIMIT_MS = 8_000
"""After this the agent leaves without waiting for its children any longer."""


class Agent:
    """One device; `handle` is the only way in, and nothing is done but what it returns."""

    def __init__(
        self,
        identity: Identity,
        shadow: Shadow,
        outbox: Outbox,
        stores: Stores,
        random: Callable[[], float],
        limits: Limits | None = None,
    ) -> None:
        self._identity = identity
        self._shadow = shadow
        self._outbox = outbox
        self._topics = Topics(shadow.config.broker.prefix)
        self._pipelines = Pipelines(random, limits)
        mcus = Microcontrollers(random, limits)
        self._blobs = Blobs(stores.blobs, self._topics)
        kit = Kit(
            *(identity.device, self._topics, identity.runtimes, random),
            *(stores.learning, stores.samples, self._blobs),
        )
        self._jobs = Jobs(kit)
        runtimes, cache = identity.runtimes, stores.learning.cache
        world = World(stores.models, self._blobs, self._pipelines, runtimes, cache)
        self._adoptions = Adoptions(world, self._topics)
        self._parts: tuple[Part, ...] = (self._blobs, self._jobs, self._adoptions)
        self._commands = Commands(
            *(self._topics, identity.device, self._pipelines, self._adoptions),
            *(stores.samples, self._jobs.forgotten),
        )
        self._announcements = Announcements(
            identity, self._topics, shadow, self._pipelines, mcus, self._jobs
        )
        self._timetable = Timetable(self._announcements, identity.started_ms)
        self._presence = Presence(identity.instance)
        self._counters = Counters()
        numbered = self._commands.labelling.answered
        self._delivery = Delivery(outbox, self._topics, identity.device, numbered)
        self._children = Children(
            self._pipelines, self._adoptions, mcus, self._commands, self._delivery
        )
        self._linked = self._left = False
        self._subscriptions = Subscriptions(self._topics, identity.device)
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
        return [*self._children.stop(now), *self._jobs.stop(), *self._adoptions.stop()]

    def handle(self, event: Event, now: Now) -> list[Action]:
        """Take an event and return what must be done, in order."""
        actions: list[Action] = []
        for action in [*self._dispatch(event, now), *self._inform(event, now)]:
            if isinstance(action, End):
                actions += self.end(now, action.error, again=action.again)
            else:
                actions.append(action)
        if self._left:
            return []  # an `online` after the farewell would stand for ever
        return actions + self._leave_if_done(now)

    def _inform(self, event: Event, now: Now) -> list[Action]:
        return [action for part in self._parts for action in part.handle(event, now)]

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
                self._subscriptions.overflowed(now)
        return []

    def due_ms(self) -> int:
        """When a `Tick` has something to do, on the monotonic clock."""
        dues = [
            self._timetable.due_ms(linked=self._linked),
            self._outbox.due_ms(),
            self._subscriptions.due_ms,
            self._children.due_ms(),
            self._end_due_ms if self._ending else None,
            *(part.due_ms() for part in self._parts),
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
            *self._subscriptions.afresh(self._read_topics()),
            self._announcements.schema(),
            self._announcements.reported(),
            *self._timetable.status(now),
            Log("info", f"connected to {self._shadow.config.broker.url}"),
        ]

    def _link_down(self, event: LinkDown) -> list[Action]:
        self._linked = False
        self._subscriptions.lost()
        actions: list[Action] = [Log("warning", f"no broker: {event.reason}")]
        if event.taken_over:
            actions.append(End(self._presence.clash(self._identity.device)))
        return actions

    def _received(self, event: Received, now: Now) -> list[Action]:
        actions = self._commands.outcomes.heard(event, now)
        fed = event.topic in self._pipelines.fed_topics()
        if fed and len(event.payload) <= MAX_JSON_BYTES:
            actions += self._pipelines.feed(event.topic, event.payload)
        elif fed:
            self._counters.rejected += 1
        try:
            channel = self._topics.channel(event.topic)
        except TopicError:
            self._counters.rejected += event.topic not in self._read_topics()
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
            case _:
                for part in self._parts:
                    actions += part.heard(channel, event.payload, now)
        return actions

    def _read_topics(self) -> set[str]:
        """Topics that are not ours: of sources, and of sensors that label."""
        return self._pipelines.fed_topics() | self._commands.outcomes.topics()

    def _own_status(self, payload: bytes, now: Now) -> list[Action]:
        verdict = self._presence.saw(payload, now.monotonic_ms)
        if verdict == "rival":
            return [End(self._presence.clash(self._identity.device))]
        if verdict == "stale" and self._ending is None:
            self._timetable.plan_status(now)
        return []

    def _desired(self, scope: Scope, payload: bytes, now: Now) -> list[Action]:
        actions: list[Action] = []
        if self._shadow.desire(scope, payload):
            actions += [Remember(self._shadow.remembered()), *self._configure(now)]
        return [*actions, self._announcements.reported()] if self._linked else actions

    def _commanded(self, channel: CommandChannel, payload: bytes, now: Now) -> list[Action]:
        actions = self._commands.handle(channel, payload, now)
        self._timetable.plan_status(now)
        return actions

    def _configure(self, now: Now) -> list[Action]:
        if self._ending is not None:
            return []
        config = self._shadow.config
        actions: list[Action] = [SetLogLevel(config.log_level)]
        actions += self._children.configure(config, now)
        for part in self._parts:
            actions += part.configure(config, now)
        self._outbox.configure(config.outbox)
        self._timetable.configure(config.metrics_interval_s, now)
        self._timetable.plan_status(now)
        if self._linked:
            actions += self._subscriptions.change(self._read_topics())
        return actions

    def _child_said(self, event: ChildSaid, now: Now) -> list[Action]:
        actions = self._children.said(event, now)
        if not isinstance(event.message, Answer):
            self._timetable.note_change(now)
        return actions

    def _child_ended(self, event: ChildEnded, now: Now) -> list[Action]:
        self._timetable.plan_status(now)
        return self._children.ended(event, now)

    def _tick(self, now: Now) -> list[Action]:
        actions = [*self._children.tick(now), *self._subscriptions.tick(now)]
        self._timetable.note_change(now)
        self._outbox.tend(now.monotonic_ms)
        return actions + self._timetable.tick(now, linked=self._linked)

    def _leave_if_done(self, now: Now) -> list[Action]:
        if self._ending is None or self._left:
            return []
        if not self._children.all_stopped() and now.monotonic_ms < self._end_due_ms:
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
