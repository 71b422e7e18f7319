"""All pipelines of the device: which are wanted, and one supervisor for each."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from agent.channel.messages import (
    Answer,
    Feed,
    FromChild,
    Progress,
    Ready,
    Refused,
    Retune,
    Stop,
)
from agent.config.device import PipelineConfig
from agent.config.sources import MqttSource
from agent.control.events import Action, Kill, Log, Now, Spawn, Tell
from agent.control.supervisor import Effect, Event, Limits, State, Supervisor
from broker.contract.messages import PipelineStatus
from broker.contract.shape import to_tree

MAX_COUNT = 2**53 - 1
"""A message holds no larger count, whatever a child says it has counted."""


@dataclass
class Pipeline:
    """One pipeline as the main process knows it."""

    config: PipelineConfig
    supervisor: Supervisor
    ready: Ready | None = None
    source: str | None = None
    warning: str | None = None
    results: int = 0
    frames: int = 0
    drops: int = 0
    wanted: bool = True
    _frames_before: int = 0
    _drops_before: int = 0

    def count(self, progress: Progress) -> None:
        """Take in the counters of the present child, which began at zero."""
        self.frames = min(MAX_COUNT, self._frames_before + progress.frames)
        self.drops = min(MAX_COUNT, self._drops_before + progress.drops)
        self.source, self.warning = progress.source, progress.warning

    def child_ended(self) -> None:
        """Keep the counters of the child that is gone."""
        self._frames_before, self._drops_before = self.frames, self.drops
        self.source = self.warning = None

    def status(self) -> PipelineStatus:
        """Say where it stands."""
        state = self.supervisor.state
        reason = self.supervisor.reason or self.warning
        serving = self.ready if state in (State.RUNNING, State.STOPPING) else None
        return PipelineStatus(
            state=state.value,
            reason=reason[:400] if reason else None,
            model=serving.model if serving else None,
            runtime=serving.runtime if serving else None,
            runtime_reason=serving.runtime_reason if serving else None,
            source=self.source,
        )


class Pipelines:
    """Pipelines by name."""

    def __init__(self, random: Callable[[], float], limits: Limits | None = None) -> None:
        self._random = random
        self._limits = limits or Limits()
        self._pipelines: dict[str, Pipeline] = {}

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
        return []

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
        for name in list(self._pipelines):
            actions += self._event(name, Event.DUE, now)
        return actions

    def due_ms(self) -> int | None:
        """When `tick` has something to do."""
        dues = (pipeline.supervisor.due_ms for pipeline in self._pipelines.values())
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
