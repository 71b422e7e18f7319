"""All pipelines of the device: which are wanted, and one supervisor for each."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace

from agent.channel.messages import (
    Adopt,
    Adopted,
    Answer,
    Feed,
    FromChild,
    NotAdopted,
    Progress,
    Ready,
    Refused,
    Retune,
    Stop,
)
from agent.config.device import PipelineConfig
from agent.config.sources import MqttSource
from agent.control.events import Action, Kill, Log, Now, Spawn, Tell
from agent.control.pipeline import Pipeline
from agent.control.supervisor import Effect, Event, Limits, State, Supervisor
from broker.contract.shape import to_tree


class Pipelines:
    """Pipelines by name."""

    def __init__(self, random: Callable[[], float], limits: Limits | None = None) -> None:
        self._random = random
        self._limits = limits or Limits()
        self._pipelines: dict[str, Pipeline] = {}
        self._asked = 0

    def items(self) -> Mapping[str, Pipeline]:
        """Every pipeline, for reports."""
        return self._pipelines

    def running(self) -> list[str]:
        """Names of the pipelines that answer now."""
        return [
            name
            for name, pipeline in self._pipelines.items()
            if pipeline.supervisor.state is State.RUNNING
        ]

    def enabled(self) -> list[str]:
        """Names of the pipelines that should run."""
        return [name for name, p in self._pipelines.items() if p.wanted and p.config.enabled]

    def configure(self, wanted: Mapping[str, PipelineConfig], now: Now) -> list[Action]:
        """Start, change and stop pipelines so that they become what is wanted."""
        actions: list[Action] = []
        for name in self._pipelines.keys() - wanted.keys():
            self._pipelines[name].wanted = False
            actions += self._event(name, Event.STOP, now)
        for name, config in wanted.items():
            actions += self._configure_one(name, config, now)
        self._drop_stopped()
        return actions

    def restart(self, name: str, now: Now) -> list[Action]:
        """End and start one pipeline; a failed one gets a new chance."""
        return self._event(name, Event.RESTART, now)

    def exchange(
        self, name: str, config: PipelineConfig, sha256: str | None, now: Now
    ) -> list[Action]:
        """Go over to another model, between two frames if the child can; else by a new child.

        Args:
            config: with the model; what else differs, only a new child takes over.
            sha256: of the model's file; None: whatever is there.
        """
        pipeline = self._pipelines.get(name)
        if pipeline is None or not (pipeline.wanted and pipeline.config.enabled):
            return []
        before, pipeline.config = pipeline.config, config
        supervisor = pipeline.supervisor
        is_live = supervisor.state is State.RUNNING and not supervisor.is_doomed
        if not is_live or replace(before, model=config.model) != config:
            return self._event(name, Event.RESTART, now)
        self._asked += 1
        pipeline.asked = str(self._asked)
        pipeline.asked_due_ms = now.monotonic_ms + self._limits.start_ms
        return [Tell(name, Adopt("adopt", pipeline.asked, config.model, sha256))]

    def stop_all(self, now: Now) -> list[Action]:
        """Ask every pipeline to end."""
        return self.configure({}, now)

    def all_stopped(self) -> bool:
        """Tell whether no child is left."""
        return all(
            pipeline.supervisor.state in (State.STOPPED, State.FAILED, State.BACKOFF)
            for pipeline in self._pipelines.values()
        )

    def child_said(self, name: str, message: FromChild, now: Now) -> list[Action]:
        """Take in what a child says; results are counted here and delivered elsewhere."""
        pipeline = self._pipelines.get(name)
        if pipeline is None:
            return []
        match message:
            case Ready():
                pipeline.ready = message
                return [
                    *self._event(name, Event.READY, now),
                    Log("info", f"pipeline {name}: serves with {message.runtime}"),
                ]
            case Progress():
                pipeline.count(message)
                return self._event(name, Event.PROGRESS, now)
            case Answer():
                pipeline.results += 1
                return self._event(name, Event.PROGRESS, now)
            case Refused():
                return self._event(name, Event.REFUSED, now, message.reason)
            case Adopted():
                return self._adopted(name, pipeline, message, now)
            case NotAdopted():
                return self._not_adopted(name, pipeline, message, now)
        return []

    def _adopted(self, name: str, pipeline: Pipeline, message: Adopted, now: Now) -> list[Action]:
        if message.id == pipeline.asked:
            pipeline.asked = None
        reason, load_ms = message.runtime_reason, message.load_ms
        pipeline.ready = Ready("ready", message.model, message.runtime, reason, load_ms)
        text = f"pipeline {name}: went over to another model; it serves with {message.runtime}"
        return [*self._event(name, Event.PROGRESS, now), Log("info", text)]

    def _not_adopted(
        self, name: str, pipeline: Pipeline, message: NotAdopted, now: Now
    ) -> list[Action]:
        if message.id != pipeline.asked:
            return []
        text = f"pipeline {name}: begins anew to change its model: {message.reason}"
        return [*self._event(name, Event.RESTART, now), Log("info", text[:400])]

    def child_ended(self, name: str, cause: str, now: Now) -> list[Action]:
        """A child is gone, wanted or not."""
        pipeline = self._pipelines.get(name)
        if pipeline is None:
            return []
        pipeline.child_ended()
        actions = self._event(name, Event.EXITED, now, cause)
        supervisor = pipeline.supervisor
        if supervisor.state in (State.BACKOFF, State.FAILED):
            level = "error" if supervisor.state is State.FAILED else "warning"
            actions.append(Log(level, f"pipeline {name}: {supervisor.reason}"))
        self._drop_stopped()
        return actions

    def tick(self, now: Now) -> list[Action]:
        """Let time pass for every supervisor."""
        actions: list[Action] = []
        for name, pipeline in list(self._pipelines.items()):
            actions += self._event(name, Event.DUE, now)
            if pipeline.asked is not None and now.monotonic_ms >= pipeline.asked_due_ms:
                late = NotAdopted("not_adopted", pipeline.asked, "its child does not answer")
                actions += self._not_adopted(name, pipeline, late, now)
        return actions

    def due_ms(self) -> int | None:
        """When `tick` has something to do."""
        pipelines = self._pipelines.values()
        dues = [one.supervisor.due_ms for one in pipelines]
        dues += [one.asked_due_ms for one in pipelines if one.asked is not None]
        return min((due for due in dues if due is not None), default=None)

    def fed_topics(self) -> set[str]:
        """Topics that sources read."""
        return {
            pipeline.config.source.topic
            for pipeline in self._pipelines.values()
            if isinstance(pipeline.config.source, MqttSource) and pipeline.wanted
        }

    def feed(self, topic: str, payload: bytes) -> list[Action]:
        """Hand a payload to every running pipeline whose source reads this topic."""
        readers = [
            name
            for name in self.running()
            if isinstance(source := self._pipelines[name].config.source, MqttSource)
            and source.topic == topic
        ]
        encoded = b64encode(payload).decode("ascii") if readers else ""
        return [Tell(name, Feed("feed", encoded)) for name in readers]

    def _configure_one(self, name: str, config: PipelineConfig, now: Now) -> list[Action]:
        pipeline = self._pipelines.get(name)
        event = Event.START if config.enabled else Event.STOP
        if pipeline is None:
            supervisor = Supervisor(config.deadline_ms, self._random, self._limits)
            self._pipelines[name] = Pipeline(config, supervisor)
            return self._event(name, event, now)
        before, pipeline.config, pipeline.wanted = pipeline.config, config, True
        pipeline.supervisor.deadline_ms = config.deadline_ms
        if before == config or not config.enabled:
            return self._event(name, event, now)
        if not before.enabled:
            return self._event(name, Event.START, now)
        live = pipeline.supervisor.state is State.RUNNING
        if live and _only_retuned(before, config):
            return [Tell(name, Retune("retune", to_tree(config.postprocess)))]
        return self._event(name, Event.RESTART, now)

    def _event(self, name: str, event: Event, now: Now, detail: str = "") -> list[Action]:
        pipeline = self._pipelines[name]
        effects = pipeline.supervisor.handle(event, now.monotonic_ms, detail)
        return [self._action(name, pipeline, effect) for effect in effects]

    def _action(self, name: str, pipeline: Pipeline, effect: Effect) -> Action:
        pipeline.asked = None  # whatever is done to the child, it does not adopt any more
        if effect is Effect.SPAWN:
            pipeline.ready = None
            return Spawn(name, pipeline.config)
        return Kill(name) if effect is Effect.KILL else Tell(name, Stop("stop"))

    def _drop_stopped(self) -> None:
        gone = [
            name
            for name, pipeline in self._pipelines.items()
            if not pipeline.wanted and pipeline.supervisor.state is State.STOPPED
        ]
        for name in gone:
            del self._pipelines[name]


def _only_retuned(before: PipelineConfig, after: PipelineConfig) -> bool:
    """Whether nothing changed but what a running child can take over."""
    same_kind = before.postprocess.kind == after.postprocess.kind
    bounds = replace(
        after.samples, recent=before.samples.recent, recent_bytes=before.samples.recent_bytes
    )
    alike = replace(
        before,
        postprocess=after.postprocess,
        priority=after.priority,
        samples=after.samples,
        learning=after.learning,
    )
    same_kind = same_kind and bounds == after.samples  # what the child itself holds
    return same_kind and alike == after
