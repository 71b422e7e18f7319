"""One job on one device: messages become events of its participant, its effects actions."""

from collections.abc import Callable
from dataclasses import replace

from agent.control.events import Action, LearnerEnded, Log, Now, Taken
from agent.errors import StorageError
from agent.learning.jobs.conditions import hindrance, trainer_of
from agent.learning.jobs.disk import JobDisk, Terms, terms_of
from agent.learning.jobs.judge import Judge
from agent.learning.jobs.kit import Gathering, Kit, Service, needed, request
from agent.learning.jobs.sender import Sender
from agent.learning.learner.request import Report
from agent.learning.samples.fitting import shares
from broker.contract.federated.job import JobSpec
from broker.contract.federated.participant import words as w
from broker.contract.federated.participant.eligible import asked_to_judge, consider
from broker.contract.federated.participant.machine import Participant, State
from broker.contract.federated.round import Ack, Missing, Round
from broker.contract.messages import LearningStatus

LOOK_AGAIN_MS = 60_000
"""What keeps a device out of a round may have changed by then: power, idleness, samples."""

UNTOLD = "training failed; the log of the device says why"
"""Why exactly may depend on the samples, and a module could make it do so on purpose."""


class Job:
    """One job, under terms that are known; a job under other terms is another object."""

    def __init__(self, kit: Kit, spec: JobSpec, service: Service) -> None:
        """Take up what a restart left.

        Raises:
            StorageError: the disk does not tell.
        """
        self.spec, self.service, self._kit = spec, service, kit
        self._terms: Terms = terms_of(spec)
        self._told: Round | None = None
        self._gathering = Gathering(kit.blobs, self._gathered, self._not_gathered)
        self._sender = Sender(kit, self._terms, spec.shards)
        self._judge = Judge(kit)
        self._token: int | None = None
        self._output = ""
        self._litter = False
        self._linked = False
        self._look_due_ms: int | None = None
        self._machine = Participant(kit.random)
        recalled = kit.ports.disk.recall(self._terms)
        self._report: Report | None = recalled.kept
        if recalled.settled is not None:
            self._machine.handle(w.Settled((spec.id, recalled.settled)), 0)
        if recalled.kept is not None:
            kept = w.Kept((spec.id, recalled.kept.round), recalled.kept.slices)
            self._machine.handle(kept, 0)

    def status(self) -> LearningStatus:
        """Where it stands, without a word on what the samples are."""
        machine, told = self._machine, self._told
        return LearningStatus(
            "judging" if self._judge.busy else machine.state.value,
            self.service.pipeline,
            told.number if told else None,
            machine.reason[:400] if machine.reason else None,
        )

    @property
    def is_over(self) -> bool:
        """Whether there will be no further round."""
        return self._told is not None and self._told.state in ("done", "failed")

    def serve(self, service: Service, now: Now) -> list[Action]:
        """Another pipeline or other conditions: what is under way under the old ones is void."""
        if service == self.service:
            return []
        moved = service.pipeline != self.service.pipeline
        self.service = service
        why = "another pipeline serves the job now" if moved else "its configuration changed"
        void = w.Withdrawn(why) if moved else w.Unable(why)
        return self._feed(void, now) + self._judge.drop(now) + self._look(now)

    def link(self, now: Now, *, up: bool) -> list[Action]:
        """The link is there, or is not."""
        self._linked = up
        if not up:
            self._sender.stop()
        told = self._judge.tell(now) if up else []
        return self._feed(w.Up() if up else w.Down(), now) + told

    def opened(self, told: Round, now: Now) -> list[Action]:
        """Take the message of a round."""
        self._told = told
        return self._look(now)

    def acked(self, number: int, ack: Ack, now: Now) -> list[Action]:
        """Take the aggregator's word on an update."""
        if ack.refused is not None:
            text = f"job {self.spec.id}: update of round {number} is refused: {ack.refused}"
            return [Log("warning", text), *self._feed(w.Acked((self.spec.id, number), ack), now)]
        return self._feed(w.Acked((self.spec.id, number), ack), now)

    def lacking(self, number: int, missing: Missing, now: Now) -> list[Action]:
        """Take the aggregator's word on what it has not got."""
        return self._feed(w.Lacking((self.spec.id, number), missing), now)

    def taken(self, event: Taken, now: Now) -> list[Action]:
        """The broker has a slice: send the next."""
        return self._sender.taken(event) + self._flushed(now)

    def learner_ended(self, event: LearnerEnded, now: Now) -> list[Action]:
        """A learner is gone, perhaps ours, perhaps the judge's."""
        if event.token != self._token or self._machine.task is None:
            return self._judge.ended(event, now)
        self._token = None
        key, report = self._machine.task.key, event.report
        asked = (*key, self.spec.cut.count)
        if report is not None and (report.job, report.round, report.slices) == asked:
            self._report = report
            return self._kept(key, report.slices, now)
        told = " ".join(event.reason.split())[:400]
        reason = told or "the learner made another update than was asked for"
        log = Log("warning", f"job {self.spec.id}: round {key[1]}: {reason}")
        return [log, *self._feed(w.TrainFailed(key, UNTOLD), now)]

    def _kept(self, key: w.Key, slices: int, now: Now) -> list[Action]:
        try:
            self._kit.ports.disk.keep(self._terms, key[1], self._output)
        except StorageError as error:
            log = Log("warning", f"job {self.spec.id}: {error}")
            return [log, *self._feed(w.TrainFailed(key, "the disk refuses"), now)]
        return self._feed(w.Trained(key, slices), now)

    def forgotten(self, now: Now) -> list[Action]:
        """Samples of its pipeline are to be forgotten: so is what was being made of them."""
        self._look_due_ms = now.monotonic_ms + 1000
        actions = self._feed(w.Withdrawn("samples were forgotten"), now) + self._judge.drop(now)
        return actions + self._try(lambda disk: disk.drop_residual(self.spec.id))

    def leave(self, reason: str, now: Now) -> list[Action]:
        """Take no further part; an update that was being sent is not sent again."""
        actions = self._feed(w.Withdrawn(reason), now) + self._feed(w.Ended(reason), now)
        self._look_due_ms = self._told = None
        return actions + self._judge.drop(now)

    def tick(self, now: Now) -> list[Action]:
        """Let time pass."""
        actions = self._feed(w.Due(), now) + self._judge.tick(now, linked=self._linked)
        if self._look_due_ms is not None and now.monotonic_ms >= self._look_due_ms:
            actions += self._look(now)
        if self._litter:  # of a learner that is gone by now
            self._litter = False
            actions += self._try(lambda disk: disk.recall(self._terms))
        return actions

    def due_ms(self) -> int | None:
        """When `tick` has something to do."""
        dues = (
            self._machine.due_ms,
            self._judge.due_ms,
            self._look_due_ms,
            0 if self._litter else None,
        )
        return min((due for due in dues if due is not None), default=None)

    def _look(self, now: Now) -> list[Action]:
        """Decide anew whether to take part in the round, and whether to judge."""
        self._look_due_ms, told, spec = None, self._told, self.spec
        if told is None:
            return []
        busy = self._machine.state in (State.FETCHING, State.TRAINING)
        unable = self._unable(begins=not busy)
        try:
            ours, held = shares(self._kit.samples.labels(self.service.pipeline), spec)
        except StorageError:
            ours, held = spec.participation.min_examples, 0
            unable = "its samples cannot be read"
        actions: list[Action] = []
        if busy and unable is not None:
            actions += self._feed(w.Unable(unable), now)
        kept = self._machine.kept
        word = consider(
            *(spec, told, self._kit.device, ours),
            unable=unable,
            kept=None if kept is None else kept.key,
        )
        actions += self._feed(word, now)
        if asked_to_judge(spec, told) and unable is None and held:
            actions += self._judge.ask(spec, told, self.service, now)
        elif not asked_to_judge(spec, told):
            actions += self._judge.drop(now)
        if told.state == "done":
            actions += self._try(lambda disk: disk.remove(spec.id))
        elif told.state == "open" or asked_to_judge(spec, told):
            self._look_due_ms = now.monotonic_ms + LOOK_AGAIN_MS
        return actions

    def _unable(self, *, begins: bool) -> str | None:
        config = self.service.config
        model = self.spec.model
        if model.parameters > config.limit_parameters:
            return f"{model.parameters} parameters exceed limit_parameters"
        if trainer_of(model, config.runtime, self._kit.runtimes) is None:
            return "the job has no trainer for what this machine runs"
        return hindrance(config, self._kit.ports.conditions(), begins=begins)

    def _feed(self, event: w.Event, now: Now) -> list[Action]:
        before = self._machine.state
        actions: list[Action] = []
        for effect in self._machine.handle(event, now.monotonic_ms):
            actions += self._perform(effect, now)
        state = self._machine.state
        if state not in (State.FETCHING, State.TRAINING) and before is not state:
            actions += self._gathering.release(now)
        return actions

    def _perform(self, effect: w.Effect, now: Now) -> list[Action]:
        match effect:
            case w.Fetch(task):
                refs = needed(self._kit, self.service, self.spec, *task.blobs)
                return self._gathering.begin(refs, now)
            case w.Train(task):
                return self._train(task, now)
            case w.Halt():
                token, self._token = self._token, None
                self._litter = token is not None
                cancelled = [] if token is None else self._kit.desk.cancel(token)
                return cancelled + self._gathering.release(now)
            case w.Send(key, slices):
                evaluation = self._report.evaluation if self._report else None
                return self._sender.begin(key, slices, evaluation) + self._flushed(now)
            case w.Settle(key, counted):
                self._sender.stop()
                self._kit.updates += counted
                return self._try(lambda disk: disk.settle(self._terms, key[1], counted=counted))
            case w.Discard(key):
                self._sender.stop()
                return self._try(lambda disk: disk.discard(self._terms, key[1]))

    def _train(self, task: w.Task, now: Now) -> list[Action]:
        disk = self._kit.ports.disk
        self._litter = False
        try:
            recalled = disk.recall(self._terms)
            self._output = disk.prepare(self._terms)
        except StorageError as error:
            log = Log("warning", f"job {self.spec.id}: {error}")
            return [log, *self._feed(w.TrainFailed(task.key, "the disk refuses"), now)]
        work = request(self._kit, self.service, self.spec, task.round, self._gathering.paths)
        residual, own_control = recalled.residual, recalled.own_control
        work = replace(work, output=self._output, residual=residual, own_control=own_control)
        self._token, actions = self._kit.desk.ask(work)
        return actions

    def _gathered(self, now: Now) -> list[Action]:
        task = self._machine.task
        return [] if task is None else self._feed(w.Fetched(task.key), now)

    def _not_gathered(self, reason: str, now: Now) -> list[Action]:
        task = self._machine.task
        return [] if task is None else self._feed(w.FetchFailed(task.key, reason), now)

    def _flushed(self, now: Now) -> list[Action]:
        kept = self._machine.kept
        if kept is None or not self._sender.is_through():
            return []
        return self._feed(w.Flushed(kept.key), now)

    def _try(self, act: Callable[[JobDisk], object]) -> list[Action]:
        try:
            act(self._kit.ports.disk)
        except StorageError as error:
            return [Log("error", f"job {self.spec.id}: {error}")]
        return []
