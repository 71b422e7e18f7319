"""A job at work: messages in, rows on the disk, and only then words to the fleet.

Whatever is said has been committed before. What a crash takes away, the slices on the disk bring
back: the sums are integers, so folding them again gives the same bytes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from broker.aggregator.job import events, machine
from broker.aggregator.job import vectors as v
from broker.aggregator.job.finish import next_vectors
from broker.aggregator.job.folding import Folding
from broker.aggregator.job.report import report, told_status
from broker.aggregator.job.words import Out, Say, Show, Withdraw
from broker.aggregator.round import machine as round_machine
from broker.aggregator.round import words as w
from broker.aggregator.store import Judgement, Store, Verdict
from broker.aggregator.strategies.scaffold import CONTROL
from broker.contract.errors import MessageError
from broker.contract.federated.channels import (
    AckChannel,
    JobStatusChannel,
    MissingChannel,
    RoundChannel,
)
from broker.contract.federated.codecs.codec import Vector
from broker.contract.federated.job import JobSpec
from broker.contract.federated.noise import KEY_BYTES
from broker.contract.federated.round import Ack, Evaluation, JobControl, Round
from broker.contract.federated.update import decode_slice


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
        """When the round's time is up, by the clock that opened it."""
        opened = self.job.round
        return None if opened is None else opened.opened_ms + int(self.spec.deadline_s * 1000)

    def begin(self, model: Vector, now_ms: int) -> None:
        """Open the first round with the job's first parameters, unless that was done before."""
        if self.vectors is None:
            self._keep(v.Vectors(model))
            self._decide(machine.Begin(), now_ms)

    def announce(self) -> None:
        """Say all that is retained; a broker may have lost it."""
        if self.vectors is not None:
            self._show()
            self._outs.append(Say(RoundChannel(self.spec.id), self._told_round()))
        self._changed = True

    def control(self, wanted: JobControl, now_ms: int) -> None:
        """Do what the operator wants."""
        if wanted.wanted == "stop":
            self._decide(machine.Stop(wanted.reason or "stopped by an operator"), now_ms)
        elif self.vectors is not None:
            self._decide(machine.Run(), now_ms)

    def receive(self, number: int, device: str, place: int, payload: bytes, now_ms: int) -> None:
        """Take a message of an update; `place` is the slice that its topic names."""
        if self.round is None or number != self.round.number:
            self._late[number, device] = None
            return
        data = b""
        event: w.Event
        try:
            piece = decode_slice(payload)
            data = piece.data
            event = w.Arrived(
                *(device, piece.number, piece.of, piece.codec, piece.examples, len(payload)),
                piece.losses,
            )
            if piece.number != place:
                why = f"slice {piece.number} was sent to the place of slice {place}"
                event = w.Broken(device, len(payload), why)
        except MessageError as error:
            event = w.Broken(device, len(payload), str(error))
        self._do(self.round.handle(event), data, now_ms)

    def evaluated(self, number: int, device: str, told: Evaluation) -> None:
        """Take a device's judgement of the round's model."""
        if self.round is not None and number == self.round.number:
            correct = min(told.correct, told.examples)
            self._store.put_judgement(device, Judgement(told.examples, told.loss, correct))

    def tick(self, now_ms: int) -> None:
        """Look at the clock: a deadline, a checkpoint."""
        if self.round is not None and self.due_ms is not None and now_ms >= self.due_ms:
            self._do(self.round.handle(w.Due()), b"", now_ms)
        if now_ms - self._saved_ms >= self._limits.checkpoint_ms:
            self._save(now_ms)

    def commit(self, now_ms: int) -> list[Out]:
        """Make all of it durable; return what may be said now."""
        self._store.commit()
        outs, self._outs = self._outs, []
        if self.round is not None:
            for device in self._tell:
                outs.append(self._standing(self.round, device))
        for number, device in self._late:
            late = Ack(False, refused=f"round {number} is not open")
            outs.append(Say(AckChannel(self.spec.id, number, device), late))
        self._tell, self._late = {}, {}
        if self._changed and not 0 <= now_ms - self._status_ms < self._limits.status_ms:
            self._changed, self._status_ms = False, now_ms
            outs.append(Say(JobStatusChannel(self.spec.id), told_status(self.job, self.round)))
        return outs

    def _take_up(self, opened: events.Opened) -> None:
        """After a restart: the round as the disk has it."""
        self.round = round_machine.Round(self.spec, opened.number)
        self._folding = Folding(self.spec, self._store, opened.seed)
        verdicts = self._store.verdicts()
        self._folding.restore(verdicts)
        senders: dict[str, round_machine.Sender] = {}
        for verdict in verdicts:
            ack = Ack(verdict.whole, verdict.refused is None, verdict.refused)
            senders[verdict.device] = round_machine.Sender(
                verdict.examples, set(), verdict.size_bytes, verdict.losses, ack
            )
        for device, number, examples, size_bytes in self._store.held():
            sender = senders.setdefault(device, round_machine.Sender(examples))
            if sender.ack is None:
                sender.held.add(number)
                sender.size_bytes += size_bytes
        for device, sender in senders.items():
            self.round.restore(device, sender)

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
                    self._decide(machine.TooFew(reason), now_ms)
        if len(self._folding.unsaved) >= self._limits.checkpoint_updates:
            self._save(now_ms)

    def _record(self, device: str, sender: round_machine.Sender) -> None:
        ack = sender.ack
        assert ack is not None, "a verdict is recorded"
        losses = sender.losses
        self._store.put_verdict(
            Verdict(device, sender.examples, sender.size_bytes, losses, ack.whole, ack.refused)
        )
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
            self._decide(machine.Broke(str(error)), now_ms)
            return
        told = report(round_, opened, self._store.judgements(), now_ms)
        control = new.state.get(CONTROL)
        closed = events.Closed(told, v.ref(new.model), None if control is None else v.ref(control))
        self._over(round_)
        if self.job.model not in (closed.model, self.spec.model.initial):
            self._outs.append(Withdraw(self.job.model))
        if self.job.control not in (closed.control, None):
            self._outs.append(Withdraw(self.job.control))
        self._keep(new)
        self._decide(machine.Made(closed), now_ms)

    def _over(self, round_: round_machine.Round) -> None:
        """What was to be told is told of this round; then all of it is dropped."""
        self._outs += [self._standing(round_, device) for device in self._tell]
        self._tell, self.round = {}, None
        self._folding = Folding(self.spec, self._store, "")
        self._store.next_round()

    def _decide(self, word: machine.Word, now_ms: int) -> None:
        draw = machine.Draw(now_ms, self._chance(8).hex(), self._chance(KEY_BYTES).hex())
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
        self._status_ms -= self._limits.status_ms
        self.announce()

    def _keep(self, new: v.Vectors) -> None:
        self.vectors = new
        for name, data in new.rows().items():
            self._store.put_vector(name, data)

    def _show(self) -> None:
        assert self.vectors is not None, "there is a model to show"
        self._outs.append(Show(self.job.model, v.blob(self.vectors.model)))
        if self.job.control is not None:
            self._outs.append(Show(self.job.control, v.blob(self.vectors.state[CONTROL])))

    def _standing(self, round_: round_machine.Round, device: str) -> Say:
        word = round_.standing(device)
        kind = AckChannel if isinstance(word, Ack) else MissingChannel
        return Say(kind(self.spec.id, round_.number, device), word)

    def _told_round(self) -> Round:
        job, opened = self.job, self.job.round
        if opened is None:
            assert job.state is not machine.State.RUNNING, "a job that runs has a round"
            state = "closed" if job.state is machine.State.WAITING else job.state.value
            return Round(self.spec.id, job.number, state, job.model, job.control, reason=job.reason)  # type: ignore[arg-type]
        return Round(
            self.spec.id,
            opened.number,
            "open",
            job.model,
            job.control,
            open_for_s=self.spec.deadline_s,
            opened_ms=opened.opened_ms,
            seed=opened.seed,
            goal=self.spec.participation.goal,
        )
