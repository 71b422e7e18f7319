"""The models that federated jobs end with, for every pipeline that takes them."""

from agent.config.device import DeviceConfig, ModelsConfig, PipelineConfig
from agent.control.adopter import Adopter, World
from agent.control.events import (
    Action,
    ChildEnded,
    ChildSaid,
    Event,
    Installed,
    LinkDown,
    LinkUp,
    Log,
    Now,
    Overflowed,
    Tick,
)
from agent.control.subscriptions import Filters
from agent.errors import ModelError, StorageError
from agent.models import words
from agent.models.journal import Release
from agent.models.probation import Probation
from broker.contract.channel import Channel
from broker.contract.errors import MessageError
from broker.contract.federated.channels import JobOutcomeChannel
from broker.contract.federated.outcome import JobOutcome
from broker.contract.messages import decode
from broker.contract.shape.constraints import shorten
from broker.contract.topics import Topics

RETRY_MS = 3_600_000
"""What was put off is tried again so often, beside every time that it is offered anew."""

MAX_OFFERS = 256
"""Jobs whose last word is remembered, for a pipeline that is configured later."""


class Adoptions:
    """A `Part` of the agent, asked before the pipelines what each of them is to run."""

    def __init__(self, world: World, topics: Topics) -> None:
        self._world = world
        self._filter = topics.filter(JobOutcomeChannel)
        self._adopters: dict[str, Adopter] = {}
        self._offers: dict[str, Release] = {}
        self._begun: list[tuple[Adopter, list[words.Effect]]] = []
        self._probation = Probation()
        self._retry_due_ms = 0
        self._filters = Filters()
        self._linked = self._left = False

    def serving(self, wanted: dict[str, PipelineConfig]) -> dict[str, PipelineConfig]:
        """Return the configurations with the models that serve; `configure` comes after."""
        return {name: self._serving(name, config) for name, config in wanted.items()}

    def _serving(self, name: str, config: PipelineConfig) -> PipelineConfig:
        adopter = self._adopters.get(name)
        if adopter is None:
            adopter = self._adopters[name] = Adopter(name, self._world, config)
            effects = adopter.begin()
        else:
            effects = adopter.configure(config)
        # Whoever asks starts the pipeline with the answer.
        self._begun.append((adopter, [e for e in effects if not isinstance(e, words.Exchange)]))
        return adopter.serving()

    def configure(self, config: DeviceConfig, now: Now) -> list[Action]:
        """Take the configuration; `serving` was asked for its pipelines."""
        begun, self._begun = self._begun, []
        actions = [act for adopter, effects in begun for act in adopter.perform(effects, now)]
        for name in self._adopters.keys() - config.pipelines.keys():
            actions += self._forget(self._adopters.pop(name), now)
        self._probation = _probation(config.models)
        for adopter in self._adopters.values():
            adopter.installation.probation = self._probation
        for release in list(self._offers.values()):
            actions += self._offer(release, now)
        self._show()
        return actions + self._subscribe()

    def handle(self, event: Event, now: Now) -> list[Action]:
        """Take any event, after the pipelines have."""
        if self._left:
            return []
        actions: list[Action] = []
        match event:
            case LinkUp() | LinkDown():
                self._linked = isinstance(event, LinkUp)
                self._filters.lost()
                return self._subscribe()
            case Overflowed():
                self._filters.overflowed(now)
            case ChildSaid(name, _) if name in self._adopters:
                actions = self._adopters[name].said(event, now)
            case ChildEnded(name, _) if name in self._adopters:
                actions = self._adopters[name].ended(event, now)
            case Installed(token, report):
                actions = self._world.desk.ended(token, well=report.reason is None)
                for adopter in self._adopters.values():
                    actions += adopter.installed(event, now)
            case Tick():
                actions = self._tick(now)
        if actions or isinstance(event, Tick):
            self._show()
        return actions

    def heard(self, channel: Channel, payload: bytes, now: Now) -> list[Action]:
        """Take what came of a job; a cleared word changes nothing."""
        if not isinstance(channel, JobOutcomeChannel) or not payload or self._left:
            return []
        try:
            outcome = decode(JobOutcome, payload)
        except MessageError as error:
            return [Log("warning", f"outcome of job {channel.job}: {error}"[:400])]
        if outcome.job != channel.job or not outcome.shipped or outcome.manifest is None:
            return []
        release = Release(outcome.job, outcome.release, outcome.manifest)
        self._offers[outcome.job] = release
        self._retry_due_ms = now.monotonic_ms + RETRY_MS
        while len(self._offers) > MAX_OFFERS:
            del self._offers[next(iter(self._offers))]
        actions = self._offer(release, now)
        self._show()
        return actions

    def due_ms(self) -> int | None:
        """When a Tick has something to do."""
        dues = [adopter.installation.due_ms for adopter in self._adopters.values()]
        dues += [self._filters.due_ms, self._retry_due_ms if self._offers else None]
        return min((due for due in dues if due is not None), default=None)

    def roll_back(self, name: object, now: Now) -> list[Action]:
        """Have a pipeline serve what it served before.

        Raises:
            ModelError: there is no such pipeline, or nothing was shipped to it that serves.
        """
        adopter = self._adopters.get(name) if isinstance(name, str) else None
        if adopter is None:
            known = ", ".join(self._adopters) or "none"
            raise ModelError(f"args.pipeline {shorten(name)} is not known; there are {known}")
        actions = adopter.event(words.RollBack(), now)
        self._show()
        if not actions:
            raise ModelError(f"pipeline {name} serves the model that it is configured with")
        return actions

    def stop(self) -> list[Action]:
        """The agent ends in good order."""
        self._left = True
        for adopter in self._adopters.values():
            adopter.installation.leave()
        return self._world.desk.close()

    def _tick(self, now: Now) -> list[Action]:
        actions = self._subscribe() if self._filters.tick(now) else []
        for adopter in self._adopters.values():
            actions += adopter.event(words.Due(), now)
        if self._offers and now.monotonic_ms >= self._retry_due_ms:
            self._retry_due_ms = now.monotonic_ms + RETRY_MS
            for release in list(self._offers.values()):
                actions += self._offer(release, now)
        return actions

    def _offer(self, release: Release, now: Now) -> list[Action]:
        """Hand a release to the first pipeline that names its job."""
        takers = (a for a in self._adopters.values() if a.config.learning.serves(release.job))
        adopter = next(takers, None)
        if adopter is None or not adopter.config.learning.adopt:
            return []
        return adopter.event(words.Offered(release), now)

    def _forget(self, adopter: Adopter, now: Now) -> list[Action]:
        """Its pipeline is no more."""
        actions = adopter.leave(now)
        try:
            self._world.store.drop(adopter.name)
            self._world.store.sweep()
        except StorageError as error:
            actions.append(Log("warning", f"models of {adopter.name}: {error}"[:400]))
        return actions

    def _subscribe(self) -> list[Action]:
        learning = [adopter.config.learning for adopter in self._adopters.values()]
        wants = any(one.adopt and one.jobs for one in learning)
        return self._filters.change({self._filter} if wants else set()) if self._linked else []

    def _show(self) -> None:
        """Put into each pipeline's status what was shipped to it."""
        pipelines = self._world.pipelines.items()
        for adopter in self._adopters.values():
            if pipeline := pipelines.get(adopter.name):
                pipeline.shipped = adopter.status()


def _probation(config: ModelsConfig) -> Probation:
    return Probation(config.probation_results, int(config.probation_s * 1000))
