"""A device with one pipeline, in memory: releases come, and its power goes."""

import random
from dataclasses import dataclass, field

from agent.errors import ModelError
from agent.models import words
from agent.models.choice import files_of
from agent.models.journal import Links, State
from agent.models.machine import Installation
from agent.models.probation import Probation
from agent.models.record import Record
from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Manifest, read_manifest
from tests.support.fake_models import FakeModels, PowerCutError
from tests.support.releases import MadeRelease

CONFIGURED = "/m.tflite"
PROBATION = Probation(results=3, time_ms=1000)
GOOD, BAD_FILES, BAD_GOLDEN, CRASHES, MISSING = ["good", "files", "golden", "crashes", "missing"]


@dataclass
class World:
    """A device with one pipeline: its disk outlives its processes."""

    store: FakeModels = field(default_factory=FakeModels)
    fates: dict[str, str] = field(default_factory=dict)
    configured: str = CONFIGURED
    runtime: str = "tflite"
    now_ms: int = 1000

    def __post_init__(self) -> None:
        self.served: list[str | None] = []
        self.begin()

    def fits(self, manifest: Manifest) -> tuple[BlobRef, ...]:
        if (artifact := manifest.artifact(self.runtime)) is None:
            raise ModelError(f"it has none for {self.runtime}")
        return files_of(manifest, artifact)

    def begin(self, configured: str | None = None) -> None:
        """A new process; it starts the pipeline with what is there."""
        self.configured = configured or self.configured
        self.installation = Installation(Record("cam", self.store, self.fits), PROBATION)
        self.todo = self.installation.begin(self.configured)
        self.todo = [one for one in self.todo if not isinstance(one, words.Exchange)]
        self.check()
        self.child(self.installation.record.links.serving)

    def child(self, release: str | None) -> None:
        """The pipeline's process has gone over, or has begun."""
        self.serves = release
        self.served.append(release)
        if self.fates.get(release or "") == CRASHES:
            self.event(words.Faulted("killed by signal 11"))
        else:
            self.event(words.Serves())

    def event(self, event: words.Event) -> None:
        self.todo += self.installation.handle(event, self.now_ms)

    def configure(self, model: str) -> None:
        """The operator names a model; whoever says so starts the pipeline with what serves."""
        self.event(words.Configured(model))
        self.child(self.installation.record.links.serving)

    def refit(self, runtime: str) -> None:
        """The operator changes what surrounds the model."""
        self.runtime = runtime
        self.event(words.Refitted())
        self.todo = [one for one in self.todo if not isinstance(one, words.Exchange)]
        self.child(self.installation.record.links.serving)

    def offer(self, made: MadeRelease, fate: str = GOOD) -> None:
        self.fates[made.id] = fate
        self.store.blobs |= {made.id: made.document}
        self.event(words.Offered(made.release))

    def run(self) -> None:
        """Do what is asked for, as the adapters would, until nothing is."""
        while self.todo:
            effect = self.todo.pop(0)
            match effect:
                case words.Fetch(release, refs):
                    if self.fates[release] == MISSING:
                        self.event(words.NotFetched(release, "the broker does not give it"))
                        continue
                    self.event(
                        words.Fetched(release, {r.sha256: f"/blobs/{r.sha256}" for r in refs})
                    )
                case words.Work(release, "verify", manifest):
                    if self.fates[release] == BAD_FILES:
                        self.event(words.Failed(release, "is not what was named", False))
                        continue
                    self.store.put_together(release, self.fits(manifest))
                    self.event(words.Worked(release))
                case words.Work(release, "golden", manifest):
                    wanted = {ref.sha256: ref.bytes for ref in self.fits(manifest)}
                    assert self.store.files[release].items() >= wanted.items(), "half of it"
                    if self.fates[release] == BAD_GOLDEN:
                        self.event(words.Failed(release, "golden sample 0 is off", True))
                        continue
                    self.event(words.Worked(release))
                case words.Exchange():
                    self.child(self.installation.record.links.serving)
                case words.Tell():
                    pass  # for people
            self.check()

    def live(self, ms: int = 1500, answers: int = 5) -> None:
        """Time passes, and the pipeline answers."""
        for count in range(1, answers + 1):
            self.event(words.Answered(count))
            self.now_ms += ms // answers
        self.event(words.Answered(answers))
        self.event(words.Due())
        self.run()

    def check(self) -> None:
        """What serves is whole, always."""
        links = self.installation.record.links
        for name in (links.serving, links.previous):
            if name is not None:
                refs = self.fits(read_manifest(self.store.manifests[name]))
                wanted = {ref.sha256: ref.bytes for ref in refs}
                assert self.store.files[name].items() >= wanted.items(), "half of a release"

    @property
    def links(self) -> Links:
        return Links(self.store.serving.get("cam"), self.store.previous.get("cam"))

    @property
    def state(self) -> State:
        return self.installation.state

    @property
    def refusal(self) -> str:
        found = self.installation.record.journal.refusal
        return "" if found is None else str(found)


def storm(seed: int, turns: int) -> int:  # noqa: C901 - what can happen, one by one
    """Offers, faults, commands, changes and power cuts in any order; return how many cuts.

    After all of it the next good release serves.
    """
    chance = random.Random(seed)
    world = World()
    number = cuts = 0
    for _ in range(turns):
        world.store.cut = None
        world.store.steps = 0
        if chance.random() < 0.5:
            world.store.cut = chance.randrange(2, 40)
        try:
            match chance.randrange(9):
                case 0 | 1 | 2:
                    number += 1
                    fate = chance.choice([GOOD, GOOD, BAD_FILES, BAD_GOLDEN, CRASHES, MISSING])
                    world.offer(MadeRelease(number, chance.choice("ab")), fate)
                case 3:
                    world.event(words.Faulted("killed"))
                case 4:
                    world.event(words.RollBack())
                case 5 if chance.random() < 0.3:
                    world.configured = chance.choice(["/a", "/b"])
                    world.configure(world.configured)
                case 6:
                    world.begin()
                case 7:
                    world.refit(world.runtime)
            world.run()
            if chance.random() < 0.7:
                world.live()
            assert world.serves == world.installation.record.links.serving
        except PowerCutError:
            cuts += 1
            world.store.cut = None
            world.begin()
            world.run()
            assert world.serves == world.installation.record.links.serving
    world.store.cut = None
    world.offer(last := MadeRelease(number + 1, "a"))
    world.run()
    for _ in range(4):
        world.live()
    assert world.links.serving == last.id
    assert world.state is State.IDLE
    return cuts
