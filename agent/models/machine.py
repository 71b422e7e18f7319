"""One pipeline's way to another model and back.

Every step is written down before it is taken, and taking it twice is as taking it once. So after
any loss of power the pipeline has a whole model, and the installation goes on or is over.
"""

from dataclasses import dataclass, field
from typing import Literal

from agent.errors import FullError, ModelError, StorageError
from agent.models import words
from agent.models.choice import check_release
from agent.models.journal import Links, Release, State
from agent.models.probation import Probation, Watch
from agent.models.record import MAX_DECIDED, Record, refused
from agent.models.table import TABLE
from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Manifest, read_manifest
from broker.contract.errors import MessageError

MAX_STARTS = 5
"""So often the agent may end without order around a release; what ends it may be the release."""


@dataclass
class Installation:
    """One pipeline's models; `handle` is the only way in, after `begin`."""

    record: Record
    probation: Probation = field(default_factory=Probation)
    _coming: Manifest | None = None
    _next: dict[str, Release] = field(default_factory=dict)
    _watched: Watch = field(default_factory=Watch)

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.record.journal.step

    @property
    def due_ms(self) -> int | None:
        """When `Due` has something to do, on the monotonic clock."""
        return self._watched.due_ms

    def begin(self, model: str) -> list[words.Effect]:
        """Take up what a former process left; `model` is what the configuration names.

        After this the record says what the pipeline is to start with.
        """
        try:
            self.record.read(model)
            if self.record.journal.configured != model:
                return self._give_way(words.Configured(model), 0)
            return self._resume()
        except StorageError as error:
            return self._lose(error)

    def handle(self, event: words.Event, now_ms: int) -> list[words.Effect]:
        """Take an event and return what must be done, in order."""
        journal = self.record.journal
        of_another = isinstance(event, words.OfRelease) and (
            journal.release is None or event.id != journal.release.id
        )
        is_no_news = isinstance(event, words.Configured) and event.model == journal.configured
        is_early = isinstance(event, words.Due) and (self.due_ms is None or now_ms < self.due_ms)
        transition = TABLE.get((self.state, type(event)))
        if transition is None or of_another or is_no_news or is_early:
            return []
        try:
            effects: list[words.Effect] = getattr(self, f"_{transition}")(event, now_ms)
        except StorageError as error:
            return self._lose(error)
        return effects

    def leave(self) -> None:
        """The agent ends in good order: this start does not count against a release."""
        if self.state is not State.IDLE:
            try:
                self.record.keep(orderly=True)
            except StorageError:
                return  # then it counts

    def _resume(self) -> list[words.Effect]:
        record = self.record
        match self.state:
            case State.IDLE:
                record.store.sweep()
                return []
            case State.DOWNLOAD:
                return self._fetch((record.release.manifest,))
            case State.COMMIT:
                return self._commit()
            case State.ROLLBACK:
                return self._go_back()
        starts = record.journal.starts + (not record.journal.orderly)
        record.keep(starts=starts, orderly=False)
        serves = self.state in (State.SWITCH, State.PROBATION)
        if starts > MAX_STARTS:
            reason = f"the agent ended {starts} times while it was installed"
            return self._roll_back(reason) if serves else self._refuse_for_good(reason)
        whole = record.whole(record.release.id)
        if serves:
            return self._go_over() if whole else self._fetch_again()
        if whole is None or self.state is not State.GOLDEN:
            record.keep(State.DOWNLOAD)
            return self._fetch((record.release.manifest,))
        return self._work("golden", whole)

    def _consider(self, event: words.Offered, _: int) -> list[words.Effect]:
        release, known = event.release, self.record.journal.decided
        if release.release <= known.get(release.job, -1):
            return []
        self._coming = None
        self.record.keep(State.DOWNLOAD, release=release, starts=0, orderly=False)
        return self._fetch((release.manifest,))

    def _supersede(self, event: words.Offered, now_ms: int) -> list[words.Effect]:
        """A later release of the same job takes the place of one that does not serve yet."""
        under_way = self.record.release
        if event.release.job != under_way.job:
            return self._note(event, now_ms)
        is_later = event.release.release > under_way.release
        return self._consider(event, now_ms) if is_later else []

    def _begin_anew(self, _: words.Event, __: int) -> list[words.Effect]:
        """Whether the release fits, and what of it, is to be found out once more."""
        self._coming = None
        self.record.keep(State.DOWNLOAD)
        return self._fetch((self.record.release.manifest,))

    def _fit(self, _: words.Refitted, __: int) -> list[words.Effect]:
        """What serves on probation goes on if all that it needs now is there."""
        return [] if self.record.whole(self.record.release.id) else self._fetch_again()

    def _fetch_again(self) -> list[words.Effect]:
        """What came before serves until the files that are needed are there."""
        back, self._watched = self.record.journal.back, Watch()
        effects = self._begin_anew(words.Refitted(), 0)
        self.record.link(Links(back))
        return [*effects, words.Exchange()]

    def _note(self, event: words.Offered, _: int) -> list[words.Effect]:
        known = self._next.get(event.release.job)
        is_later = known is None or known.release < event.release.release
        if is_later and (known or len(self._next) < MAX_DECIDED):
            self._next[event.release.job] = event.release
        return []

    def _fetch(self, refs: tuple[BlobRef, ...]) -> list[words.Effect]:
        return [words.Fetch(self.record.release.id, refs)]

    def _take(self, event: words.Fetched, now_ms: int) -> list[words.Effect]:
        """Have the manifest first, and then what it names."""
        record = self.record
        if self._coming is not None:
            record.keep(State.VERIFY)
            return self._work("verify", self._coming)
        try:
            path = event.paths[record.release.manifest.sha256]
            manifest = read_manifest(record.store.fetched(path))
            check_release(manifest, record.release)
            files = record.fits(manifest)
            record.store.check_room(files)
        except (MessageError, ModelError) as error:
            return self._refuse_for_good(str(error))
        except FullError as error:
            return self._put_off(words.NotFetched("", str(error)), now_ms)
        self._coming = manifest
        return self._fetch(files)

    def _work(self, what: Literal["verify", "golden"], manifest: Manifest) -> list[words.Effect]:
        return [words.Work(self.record.release.id, what, manifest)]

    def _stage(self, _: words.Event, __: int) -> list[words.Effect]:
        self.record.keep(State.STAGE)
        self.record.store.stage(self.record.release.id)
        self.record.keep(State.GOLDEN)
        assert self._coming is not None, "staged what was never read"
        return self._work("golden", self._coming)

    def _switch(self, _: words.Event, __: int) -> list[words.Effect]:
        self.record.keep(State.SWITCH, back=self.record.links.serving)
        return [*self._go_over(), words.Exchange()]

    def _go_over(self) -> list[words.Effect]:
        record, back = self.record, self.record.journal.back
        try:
            record.link(Links(record.release.id, back))
            record.keep(State.PROBATION)
        except StorageError:
            record.assume(Links(back))
            raise
        self._watched = Watch()
        return [self._say("info", f"{self.record.release} serves on probation")]

    def _watch(self, _: words.Event, now_ms: int) -> list[words.Effect]:
        self._watched.begin(self.probation, now_ms)
        return []

    def _judge(self, event: words.Answered | words.Due, now_ms: int) -> list[words.Effect]:
        answered = event.count if isinstance(event, words.Answered) else None
        if not self._watched.is_passed(self.probation, answered, now_ms):
            return []
        self.record.keep(State.COMMIT)
        return self._commit()

    def _commit(self) -> list[words.Effect]:
        said = self._say("info", f"{self.record.release} has passed its probation")
        return [said, *self._end(None)]

    def _refuse(self, event: words.Failed, now_ms: int) -> list[words.Effect]:
        if event.is_final:
            return self._refuse_for_good(event.reason)
        return self._put_off(words.NotFetched(event.id, event.reason), now_ms)

    def _refuse_for_good(self, reason: str) -> list[words.Effect]:
        said = self._say("warning", f"{self.record.release} is refused: {reason}")
        return [said, *self._end(reason)]

    def _put_off(self, event: words.NotFetched, _: int) -> list[words.Effect]:
        """It may go better when the release is offered again."""
        release = self.record.release
        said = self._say("warning", f"{release} is put off: {event.reason}")
        self.record.keep(State.IDLE, release=None, refusal=refused(release, event.reason))
        return [said, *self._rest()]

    def _fail(self, event: words.Faulted, _: int) -> list[words.Effect]:
        return self._roll_back(event.reason)

    def _step_back(self, _: words.RollBack, __: int) -> list[words.Effect]:
        record, reason = self.record, "rolled back by command"
        if self.state is State.PROBATION:
            return self._roll_back(reason)
        served = record.served()
        if served is None:
            return []
        record.keep(
            State.ROLLBACK,
            release=served,
            back=record.links.previous,
            refusal=refused(served, reason),
        )
        return self._go_back()

    def _roll_back(self, reason: str) -> list[words.Effect]:
        """What served before serves again, also if the disk does not take that."""
        refusal = refused(self.record.release, reason)
        try:
            self.record.keep(State.ROLLBACK, refusal=refusal)
        except StorageError as error:
            self.record.assume(Links(self.record.journal.back))
            return [*self._lose(error), words.Exchange()]
        return self._go_back()

    def _go_back(self) -> list[words.Effect]:
        journal = self.record.journal
        reason = journal.refusal.reason if journal.refusal else "another model is configured"
        said = self._say("warning", f"{journal.release or 'a release'} is taken back: {reason}")
        try:
            self.record.link(Links(journal.back))
            rest = self._end(reason)
        except StorageError as error:
            self.record.assume(Links(journal.back))
            rest = self._lose(error)
        return [said, words.Exchange(), *rest]

    def _give_way(self, event: words.Configured, _: int) -> list[words.Effect]:
        """The configuration names another model than the one that a release came for."""
        reason = "another model was configured"
        self.record.settle(reason, State.ROLLBACK, self._next.values())
        self._next.clear()
        self.record.keep(configured=event.model)
        self.record.link(Links())
        return self._end(None)

    def _end(self, reason: str | None) -> list[words.Effect]:
        """It is decided: it serves, or does not for a reason."""
        self.record.settle(reason)
        self.record.store.sweep()
        return self._rest()

    def _rest(self) -> list[words.Effect]:
        """Nothing is under way but what was offered meanwhile."""
        self._coming, self._watched = None, Watch()
        while self._next:
            release = self._next.pop(next(iter(self._next)))
            if effects := self._consider(words.Offered(release), 0):
                return effects
        return []

    def _say(self, level: str, text: str) -> words.Tell:
        return words.Tell(level, f"pipeline {self.record.pipeline}: {text}"[:400])

    def _lose(self, error: StorageError) -> list[words.Effect]:
        """The disk refuses: what is there stays as it is, to be taken up at the next start."""
        self.record.rest(str(error))
        self._coming, self._watched = None, Watch()
        return [self._say("error", f"its models: {error}")]
