"""One pipeline and the models that jobs ship to it."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from agent.blobs.blobs import Arrived, Blobs, News
from agent.channel.messages import Adopted, Answer, Progress, Ready, Refused
from agent.config.device import PipelineConfig
from agent.control.desk import Desk
from agent.control.events import (
    Action,
    ChildEnded,
    ChildSaid,
    Installed,
    Log,
    Now,
    StartInstaller,
    StopInstaller,
)
from agent.control.pipelines import Pipelines
from agent.control.supervisor import State as Child
from agent.models import words
from agent.models.choice import MANIFEST, artifact_of, as_released, file_name, files_of, golden_name
from agent.models.journal import State
from agent.models.machine import Installation
from agent.models.record import Record, job_of
from agent.models.request import Golden, Item, Request, Verify
from agent.models.store import NEW, ModelStore
from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Manifest
from broker.contract.messages import ReleaseStatus
from broker.contract.shape import to_tree


@dataclass(frozen=True)
class World:
    """What every adopter of a device shares.

    Attributes:
        runtimes: names of those that are installed here.
        cache: folder of machine code.
    """

    store: ModelStore
    blobs: Blobs
    pipelines: Pipelines
    runtimes: Collection[str]
    cache: str | None = None
    desk: Desk[Request] = field(default_factory=lambda: Desk(StartInstaller, StopInstaller))


@dataclass(eq=False)
class Adopter:
    """Feeds an installation with what happens to its pipeline, and does what it asks for."""

    name: str
    world: World
    config: PipelineConfig
    installation: Installation = field(init=False)
    _fetching: str | None = None
    _wanted: set[BlobRef] = field(default_factory=set)
    _paths: dict[str, str] = field(default_factory=dict)
    _token: int | None = None
    _frames: int | None = None
    _results: int = 0

    def __post_init__(self) -> None:
        self.installation = Installation(Record(self.name, self.world.store, self._fits))

    @property
    def _record(self) -> Record:
        return self.installation.record

    def begin(self) -> list[words.Effect]:
        """Take up what a former process left; see `serving`."""
        return self.installation.begin(self.config.model)

    def configure(self, config: PipelineConfig) -> list[words.Effect]:
        """Take another configuration; see `serving`."""
        before, self.config = self.config, config
        if config.model != before.model:
            return self.installation.handle(words.Configured(config.model), 0)
        if config == before:
            return []
        self._fetching = None  # what is on its way may not be what is needed
        return self.installation.handle(words.Refitted(), 0)

    def serving(self) -> PipelineConfig:
        """The configuration with what serves."""
        record = self._record
        record.assume(record.links)  # another runtime may want another file
        return self._as_released(record.manifest, record.links.serving)

    def event(self, event: words.Event, now: Now) -> list[Action]:
        """Hand in what happened and do what comes of it."""
        return self.perform(self.installation.handle(event, now.monotonic_ms), now)

    def perform(self, effects: Iterable[words.Effect], now: Now) -> list[Action]:
        """Turn effects into actions."""
        actions: list[Action] = []
        for effect in effects:
            match effect:
                case words.Fetch():
                    actions += self._fetch(effect, now)
                case words.Work():
                    self._token, asked = self.world.desk.ask(self._request(effect))
                    actions += asked
                case words.Exchange():
                    actions += self._exchange(now)
                case words.Tell():
                    actions.append(Log(effect.level, effect.text))
        state = self.installation.state
        if state not in (State.VERIFY, State.GOLDEN):
            actions += self._dismiss()
        if state not in (State.DOWNLOAD, State.VERIFY) and self._wanted:
            self._fetching, self._wanted, self._paths = None, set(), {}
            actions += self.world.blobs.release(self, now)
        return actions

    def leave(self, now: Now) -> list[Action]:
        """The pipeline is no more, and wants nothing."""
        return self._dismiss() + self.world.blobs.release(self, now)

    def _dismiss(self) -> list[Action]:
        """Whatever an installer finds, nobody waits for it."""
        token, self._token = self._token, None
        return [] if token is None else self.world.desk.cancel(token)

    def blob(self, news: News, now: Now) -> list[Action]:
        """Take what became of a blob."""
        release = self._record.journal.release
        if release is None or news.ref not in self._wanted:
            return []
        if not isinstance(news, Arrived):
            return self.event(words.NotFetched(release.id, news.reason), now)
        self._paths[news.ref.sha256] = news.path
        if any(ref.sha256 not in self._paths for ref in self._wanted):
            return []
        return self.event(words.Fetched(release.id, dict(self._paths)), now)

    def installed(self, event: Installed, now: Now) -> list[Action]:
        """Take what an installer found, perhaps one that works for another pipeline."""
        if event.token != self._token:
            return []
        self._token = None
        release, report = self._record.release.id, event.report
        if report.reason is None:
            return self.event(words.Worked(release), now)
        return self.event(words.Failed(release, report.reason, report.is_final), now)

    def said(self, event: ChildSaid, now: Now) -> list[Action]:
        """Take what the pipeline's child says, after the pipeline has."""
        if self.installation.state is not State.PROBATION:
            return []
        pipeline = self.world.pipelines.items().get(self.name)
        if pipeline is None:
            return []
        match event.message:
            case Ready() | Adopted():
                if pipeline.supervisor.state is not Child.RUNNING or pipeline.asked:
                    return []  # of a child, or a model, that is being replaced itself
                self._frames, self._results = None, pipeline.results
                return self.event(words.Serves(), now)
            case Answer():
                return self.event(words.Answered(pipeline.results - self._results), now)
            case Progress():
                # A pipeline that tells only changes has worked all the same.
                if self._frames is None:
                    self._frames = pipeline.frames
                count = max(pipeline.frames - self._frames, pipeline.results - self._results)
                return self.event(words.Answered(count), now)
            case Refused(_, reason):
                return self.event(words.Faulted(reason), now)
        return []

    def ended(self, event: ChildEnded, now: Now) -> list[Action]:
        """The pipeline's child is gone, wanted or not."""
        pipeline = self.world.pipelines.items().get(self.name)
        if pipeline is None or pipeline.supervisor.state not in (Child.BACKOFF, Child.FAILED):
            return []
        return self.event(words.Faulted(pipeline.supervisor.reason or event.cause), now)

    def status(self) -> ReleaseStatus | None:
        """Where it stands; None while no job has shipped anything."""
        journal, manifest = self._record.journal, self._record.manifest
        refusal = journal.refusal
        if manifest is None and refusal is None and journal.release is None:
            return None
        return ReleaseStatus(
            journal.state,
            None if manifest is None else job_of(manifest),
            None if manifest is None else manifest.release,
            None if journal.release is None else str(journal.release),
            None if refusal is None else str(refusal)[:400],
        )

    def _fits(self, manifest: Manifest) -> tuple[BlobRef, ...]:
        artifact = artifact_of(manifest, self.config, self.world.runtimes)
        as_released(self.config, manifest, self.config.model)
        return files_of(manifest, artifact)

    def _as_released(self, manifest: Manifest | None, release: str | None) -> PipelineConfig:
        if manifest is None or release is None:
            return self.config
        artifact = artifact_of(manifest, self.config, self.world.runtimes)
        path = f"{self.world.store.place(release)}/{file_name(artifact)}"
        return as_released(self.config, manifest, path)

    def _fetch(self, effect: words.Fetch, now: Now) -> list[Action]:
        actions: list[Action] = []
        if effect.id != self._fetching:  # the manifest stays wanted while its files come
            actions += self.world.blobs.release(self, now)
            self._fetching, self._wanted, self._paths = effect.id, set(), {}
        for ref in effect.refs:
            self._wanted.add(ref)
            actions += self.world.blobs.want(self, ref, now)
        return actions

    def _request(self, work: words.Work) -> Request:
        folder = self.world.store.place(work.id)
        if work.what == "verify":
            return Verify("verify", f"{folder}{NEW}", tuple(self._items(work)))
        config = self._as_released(work.manifest, work.id)
        return Golden("golden", folder, to_tree(config), self.world.cache)

    def _items(self, work: words.Work) -> Iterator[Item]:
        manifest = self._record.release.manifest
        yield Item(self._paths[manifest.sha256], manifest, MANIFEST)
        artifact = artifact_of(work.manifest, self.config, self.world.runtimes)
        yield Item(self._paths[artifact.blob.sha256], artifact.blob, file_name(artifact))
        golden = work.manifest.golden
        for ref in dict.fromkeys((golden.inputs, golden.outputs)):
            yield Item(self._paths[ref.sha256], ref, golden_name(ref))

    def _exchange(self, now: Now) -> list[Action]:
        config = self.serving()
        manifest = self._record.manifest
        sha256 = None
        if manifest is not None:
            sha256 = artifact_of(manifest, self.config, self.world.runtimes).blob.sha256
        return self.world.pipelines.exchange(self.name, config, sha256, now)
