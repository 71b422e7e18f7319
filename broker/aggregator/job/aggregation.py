"""A job at work: messages in, rows on the disk, and only then words to the fleet.

Whatever is said has been committed before. What a crash takes away, the slices on the disk bring
back: the sums are integers, so folding them again gives the same bytes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from broker.aggregator.job import events, happenings, machine, releasing
from broker.aggregator.job import vectors as v
from broker.aggregator.job.finish import next_vectors
from broker.aggregator.job.folding import Folding
from broker.aggregator.job.judging import Panel
from broker.aggregator.job.report import report, told_status
from broker.aggregator.job.restoring import restored, verdict_of
from broker.aggregator.job.telling import all_retained, standing
from broker.aggregator.job.words import Out, Say, Withdraw
from broker.aggregator.round import machine as round_machine
from broker.aggregator.round import words as w
from broker.aggregator.round.reading import read_message
from broker.aggregator.store import Store
from broker.aggregator.strategies.scaffold import CONTROL
from broker.contract.blobs import BlobRef
from broker.contract.errors import MessageError
from broker.contract.federated.channels import (
    AckChannel,
    JobStatusChannel,
)
from broker.contract.federated.codecs.codec import Vector
from broker.contract.federated.job import JobSpec
from broker.contract.federated.noise import KEY_BYTES
from broker.contract.federated.outcome import JobOutcome
from broker.contract.federated.round import Ack, Evaluation, JobControl


@dataclass(frozen=True)
class Limits:
    """How much folding a crash may undo, and how often people are told.

    Attributes:
        checkpoint_updates: so many updates are folded between checkpoints of the sums.
        checkpoint_ms: or so much time passes.
        status_ms: least time between two words on progress.
    """

    checkpoint_updates: int = 32
    checkpoint_ms: int = 30_000
    status_ms: int = 1_000


class Aggregation:
    """One job; `commit` after any number of the other calls."""

    def __init__(
        self,
        spec: JobSpec,
        store: Store,
        chance: Callable[[int], bytes],
        limits: Limits = Limits(),
    ) -> None:
        """Take up what the store holds; `chance` gives that many random bytes, fit for secrets."""
        self.spec, self._store, self._chance, self._limits = spec, store, chance, limits
        self.job = machine.Job(spec)
        self.job.replay(map(events.from_bytes, store.journal()))
        self.vectors = v.from_rows(store.vectors())
        self.round: round_machine.Round | None = None
        self._panel = Panel(spec, store, of_both=self.job.asked is not None)
        self._before: JobOutcome | None = None
        self._folding = Folding(spec, store, "")
        self._saved_ms = self._status_ms = 0
        self._outs: list[Out] = []
        self._tell: dict[str, None] = {}
        self._late: dict[tuple[int, str], None] = {}
        self._changed = True
        if self.job.round is not None:
            self._take_up(self.job.round)

    @property
    def due_ms(self) -> int | None:
        """When the time of a round or of judging is up, by the clock that opened it."""
        opened, asked = self.job.round, self.job.asked
        if asked is not None:
            return asked.asked_ms + int(self.spec.evaluation.deadline_s * 1000)
        return None if opened is None else opened.opened_ms + int(self.spec.deadline_s * 1000)

    @property
    def lacks(self) -> tuple[BlobRef, bool] | None:
        """A file that the job cannot begin without; true: only the aggregator gets it."""
        if self.vectors is not None:
            return None
        files = releasing.needed(self.spec)
        missing = (one for one in files if not self._store.has_file(one[0]))
        return next(missing, (self.spec.model.initial, False))

    @property
    def told_blobs(self) -> set[BlobRef]:
        """The blobs that devices may fetch as things stand."""
        return releasing.told_blobs(self.job, self._store)

    @property
    def order(self) -> releasing.Order | None:
        """The release that is to be made now; `exported` takes what came of it."""
        if self.vectors is None:
            return None
        return releasing.order(self.job, self._store, self.vectors)

    def keep(self, data: bytes) -> None:
        """Take a file that the job lacked, other than its first parameters."""
        self._store.put_file(data)
        self._outs += releasing.told_files(self.spec, self._store)

    def begin(self, model: Vector, now_ms: int) -> None:
        """Open the first round with the job's first parameters, unless that was done before."""
        if self.vectors is None:
            self._keep(v.Vectors(model))
            if self.spec.judges:
                self._store.put_file(v.blob(model))
            self._decide(happenings.Begin(), now_ms)

    def announce(self) -> None:
        """Say all that is retained; a broker may have lost it."""
        if self.vectors is not None:
            self._outs += all_retained(self.job, self._store, self.vectors)
        self._changed = True

    def control(self, wanted: JobControl, now_ms: int) -> None:
        """Do what the operator wants."""
        if wanted.wanted == "stop":
            self._decide(happenings.Stop(wanted.reason or "stopped by an operator"), now_ms)
        elif self.vectors is not None:
            self._decide(happenings.Run(), now_ms)

    def receive(self, number: int, device: str, place: int, payload: bytes, now_ms: int) -> None:
        """Take a message of an update; `place` is the slice that its topic names."""
        if self.round is None or number != self.round.number:
            self._late[number, device] = None
            return
        event, data = read_message(device, place, payload)
        self._do(self.round.handle(event), data, now_ms)

    def evaluated(self, number: int, device: str, told: Evaluation, now_ms: int) -> None:
        """Take a device's judgement of the round's model, or of the final one."""
        asked = self.job.asked
        if self.round is not None and number == self.round.number:
            self._panel.take(device, told)
        elif asked is not None and number == asked.number:
            self._panel.take(device, told)
            self._changed = True
            if len(self._panel) >= asked.goal:
                self._conclude(now_ms)

    def heard(self, outcome: JobOutcome) -> None:
        """Take the outcome of this job's name that the broker has, from an earlier life."""
        if self.job.outcome is None and outcome.job == self.spec.id:
            self._before = outcome

    def exported(self, number: int, made: releasing.Made | str, now_ms: int) -> None:
        """Take a release, or why there can be none."""
        if number != self.job.release or self.job.state is not machine.State.PUBLISHING:
            return
        if isinstance(made, str):
            self._decide(happenings.Unfit(number, made), now_ms)
            return
        for data in made.blobs.values():
            self._store.put_file(data)
        self._decide(happenings.Exported(number, made.manifest), now_ms)

    def tick(self, now_ms: int) -> None:
        """Look at the clock: a deadline, a checkpoint."""
        if self.due_ms is not None and now_ms >= self.due_ms:
            if self.round is not None:
                self._do(self.round.handle(w.Due()), b"", now_ms)
            else:
                self._conclude(now_ms)
        if now_ms - self._saved_ms >= self._limits.checkpoint_ms:
            self._save(now_ms)

    def commit(self, now_ms: int) -> list[Out]:
        """Make all of it durable; return what may be said now."""
        self._store.commit()
        outs, self._outs = self._outs, []
        if self.round is not None:
            for device in self._tell:
                outs.append(standing(self.round, device))
        for number, device in self._late:
            late = Ack(False, refused=f"round {number} is not open")
            outs.append(Say(AckChannel(self.spec.id, number, device), late))
        self._tell, self._late = {}, {}
        if self._changed and not 0 <= now_ms - self._status_ms < self._limits.status_ms:
            self._changed, self._status_ms = False, now_ms
            told = told_status(self.job, self.round, len(self._panel))
            outs.append(Say(JobStatusChannel(self.spec.id), told))
        return outs

    def _take_up(self, opened: events.Opened) -> None:
        """After a restart: the round as the disk has it."""
        self.round = restored(self.spec, self._store, opened.number)
        self._folding = Folding(self.spec, self._store, opened.seed)
        self._folding.restore(self._store.verdicts())

    def _do(self, effects: Iterable[w.Effect], data: bytes, now_ms: int) -> None:
        round_ = self.round
        assert round_ is not None, "effects come from a round"
        for effect in effects:
            match effect:
                case w.Spool(device, number):
                    examples = round_.senders[device].examples
                    self._store.put_slice(device, number, examples, data)
                case w.Judge(device):
                    refused = self._folding.judge(device, round_.senders[device].examples)
                    self._do(round_.handle(w.Judged(device, refused)), b"", now_ms)
                case w.Record(device):
                    self._record(device, round_.senders[device])
                case w.Tell(device):
                    self._tell[device] = None
                case w.Close():
                    self._close(round_, now_ms)
                case w.Lapse(reason):
                    self._over(round_)
                    self._decide(happenings.TooFew(reason), now_ms)
        if len(self._folding.unsaved) >= self._limits.checkpoint_updates:
            self._save(now_ms)

    def _record(self, device: str, sender: round_machine.Sender) -> None:
        self._store.put_verdict(verdict_of(device, sender))
        self._changed = True

    def _save(self, now_ms: int) -> None:
        self._saved_ms = now_ms
        if self._folding.unsaved:
            self._folding.save()

    def _close(self, round_: round_machine.Round, now_ms: int) -> None:
        opened, before = self.job.round, self.vectors
        assert opened is not None, "only an open round closes"
        assert before is not None, "no round is open before the first model came"
        try:
            key, total = bytes.fromhex(opened.key), self._folding.total
            counted = sorted(d for d, s in round_.senders.items() if s.ack and s.ack.counted)
            slices = partial(self._folding.slices, counted)
            new = next_vectors(self.spec, before, total, len(counted), key, slices)
        except MessageError as error:
            self._over(round_)
            self._decide(happenings.Broke(str(error)), now_ms)
            return
        told = report(round_, opened, self._store.judgements().values(), now_ms)
        control = new.state.get(CONTROL)
        closed = events.Closed(told, v.ref(new.model), None if control is None else v.ref(control))
        self._over(round_)
        self._outs += map(Withdraw, filter(None, (self.job.model, self.job.control)))
        self._keep(new)
        self._decide(happenings.Made(closed), now_ms)

    def _over(self, round_: round_machine.Round) -> None:
        """What was to be told is told of this round; then all of it is dropped."""
        self._outs += [standing(round_, device) for device in self._tell]
        self._tell, self.round = {}, None
        self._folding = Folding(self.spec, self._store, "")
        self._store.next_round()

    def _conclude(self, now_ms: int) -> None:
        judged = self._panel.verdict()
        self._store.next_round()
        self._decide(happenings.Answered(judged), now_ms)

    def _decide(self, word: happenings.Word, now_ms: int) -> None:
        seed, key = self._chance(8).hex(), self._chance(KEY_BYTES).hex()
        draw = happenings.Draw(now_ms, seed, key, self._before)
        journalled = self.job.handle(word, draw)
        for event in journalled:
            self._store.append(events.to_bytes(event))
        if not journalled:
            return
        if self.round is not None and self.job.round is None:
            self._over(self.round)
        if self.job.round is not None:
            self.round = round_machine.Round(self.spec, self.job.round.number)
            self._folding = Folding(self.spec, self._store, self.job.round.seed)
            self._saved_ms = now_ms
        self._panel = Panel(self.spec, self._store, of_both=self.job.asked is not None)
        self._status_ms -= self._limits.status_ms
        self.announce()

    def _keep(self, new: v.Vectors) -> None:
        self.vectors = new
        for name, data in new.rows().items():
            self._store.put_vector(name, data)
