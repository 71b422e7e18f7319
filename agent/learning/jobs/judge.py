"""The judgement of a job's final model on what a device holds out: fetched, computed, told."""

from dataclasses import replace

from agent.control.events import Action, LearnerEnded, Log, Now, Publish
from agent.learning.jobs.kit import Gathering, Kit, Service, needed, request
from broker.contract.federated.channels import EvaluationChannel
from broker.contract.federated.job import JobSpec
from broker.contract.federated.round import Evaluation, Round
from broker.contract.messages import encode

RETRY_MS = 15_000
LONGEST_RETRY_MS = 300_000


class Judge:
    """One device's answer to one question at a time.

    Attributes:
        busy: it is at work, and has not answered.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._gathering = Gathering(kit.blobs, self._gathered, self._failed)
        self._question: tuple[JobSpec, Round, Service] | None = None
        self._answer: Evaluation | None = None
        self._token: int | None = None
        self._tries = 0
        self.due_ms: int | None = None

    @property
    def busy(self) -> bool:
        """Whether a question has no answer yet."""
        return self._question is not None and self._answer is None

    def ask(self, spec: JobSpec, told: Round, service: Service, now: Now) -> list[Action]:
        """Judge a round's model; the same question again changes nothing."""
        if self._question == (spec, told, service):
            return []
        dropped = self.drop(now)
        self._question = spec, told, service
        return dropped + self._begin(now)

    def drop(self, now: Now) -> list[Action]:
        """The question is no longer put, or may not be answered."""
        token, self._token = self._token, None
        self._question = self._answer = self.due_ms = None
        self._tries = 0
        cancelled = [] if token is None else self._kit.desk.cancel(token)
        return cancelled + self._gathering.release(now)

    def ended(self, event: LearnerEnded, now: Now) -> list[Action]:
        """A learner is gone, perhaps ours."""
        if event.token != self._token or self._question is None:
            return []
        self._token = None
        if event.report is None or event.report.evaluation is None:
            return self._failed(event.reason or "nothing was judged", now)
        self._answer = event.report.evaluation
        self._tries = 0
        return self._gathering.release(now) + self.tell(now)

    def tell(self, now: Now) -> list[Action]:
        """Say the answer, now and, since nobody acknowledges it, ever less often again."""
        if self._answer is None or self._question is None:
            return []
        spec, told, _ = self._question
        self._wait(now)
        channel = EvaluationChannel(spec.id, told.number, self._kit.device)
        return [Publish(self._kit.topics.topic(channel), encode(self._answer), retain=False)]

    def tick(self, now: Now, *, linked: bool) -> list[Action]:
        """Try again what is due."""
        if self.due_ms is None or now.monotonic_ms < self.due_ms:
            return []
        if self._answer is None:
            self.due_ms = None
            return self._begin(now)
        self._wait(now)
        return self.tell(now) if linked else []

    def _begin(self, now: Now) -> list[Action]:
        assert self._question is not None
        spec, told, service = self._question
        refs = needed(self._kit, service, spec, told.model, told.baseline)
        return self._gathering.begin(refs, now)

    def _gathered(self, now: Now) -> list[Action]:
        assert self._question is not None
        spec, told, service = self._question
        assert told.baseline is not None
        paths = self._gathering.paths
        work = request(self._kit, service, spec, told, paths)
        work = replace(work, baseline=paths[told.baseline])
        self._token, actions = self._kit.desk.ask(work)
        return actions

    def _failed(self, reason: str, now: Now) -> list[Action]:
        self._wait(now)
        assert self._question is not None
        told = " ".join(reason.split())[:400]
        return [Log("warning", f"job {self._question[0].id}: cannot judge its model: {told}")]

    def _wait(self, now: Now) -> None:
        wait_ms = min(RETRY_MS << self._tries, LONGEST_RETRY_MS)
        self.due_ms = now.monotonic_ms + int(wait_ms * (0.5 + 0.5 * self._kit.random()))
        self._tries += 1
