"""All federated jobs that this device serves: which they are, and what is said about them."""

from dataclasses import replace

from agent.config.device import DeviceConfig
from agent.config.learning import matches
from agent.control.events import (
    Action,
    Event,
    LearnerEnded,
    LinkDown,
    LinkUp,
    Log,
    Now,
    Overflowed,
    Taken,
    Tick,
)
from agent.control.subscriptions import Filters
from agent.errors import StorageError
from agent.learning.jobs.job import Job
from agent.learning.jobs.kit import Kit, Service
from broker.contract.channel import Channel
from broker.contract.errors import MessageError
from broker.contract.federated.channels import (
    AckChannel,
    JobSpecChannel,
    MissingChannel,
    RoundChannel,
)
from broker.contract.federated.job import JobSpec, read_job
from broker.contract.federated.round import Ack, Missing, Round
from broker.contract.messages import LearningMetrics, LearningStatus, decode

RETRY_MS = 10_000
"""A disk that refused may take it then."""

MAX_JOBS = 32
"""A pattern such as `*` finds no more."""


class Jobs:
    """A part of the agent; it holds a job from its document on until that is withdrawn."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._services: dict[str, Service] = {}
        self._patterns: list[tuple[str, Service]] = []
        self._jobs: dict[str, Job] = {}
        self._specs: dict[str, bytes] = {}
        self._rounds: dict[str, bytes] = {}
        self._refused: dict[str, str] = {}
        self._postponed: dict[str, bytes] = {}
        self._retry_ms = 0
        self._filters = Filters()
        self._linked = False
        self._began = False

    def configure(self, config: DeviceConfig, now: Now) -> list[Action]:
        """Serve the jobs that pipelines name; the first pipeline that names a job serves it."""
        self._patterns = [
            (pattern, Service(name, replace(pipeline.learning, jobs=(), adopt=True)))
            for name, pipeline in config.pipelines.items()
            for pattern in pipeline.learning.jobs
        ]
        actions = self._tidy()
        for name, job in list(self._jobs.items()):
            service = self._service(name)
            if service is None:
                actions += job.leave("the device serves it no longer", now)
                del self._jobs[name]
            else:
                actions += job.serve(service, now)
        for known in (self._specs, self._rounds, self._refused, self._postponed):
            for name in [name for name in known if self._service(name) is None]:
                del known[name]
        return actions + self._subscribe()

    def stop(self) -> list[Action]:
        """The agent ends; what lies on the disk is for its next start."""
        return self._kit.desk.close()

    def forgotten(self, pipeline: str, now: Now) -> list[Action]:
        """Samples of a pipeline are about to be forgotten: end what reads them, first of all."""
        mine = [job for job in self._jobs.values() if job.service.pipeline == pipeline]
        return [action for job in mine for action in job.forgotten(now)]

    def handle(self, event: Event, now: Now) -> list[Action]:
        """Take what happens to the link, to a learner, and the time."""
        actions: list[Action] = []
        match event:
            case LinkUp() | LinkDown():
                self._linked = isinstance(event, LinkUp)
                self._filters.lost()
                actions += self._subscribe()
                for job in self._jobs.values():
                    actions += job.link(now, up=self._linked)
            case Taken() if event.receipt.job in self._jobs:
                actions += self._jobs[event.receipt.job].taken(event, now)
            case LearnerEnded():
                actions += self._kit.desk.ended(event.token, well=event.report is not None)
                for job in self._jobs.values():
                    actions += job.learner_ended(event, now)
            case Overflowed():
                self._filters.overflowed(now)
            case Tick():
                actions += self._tick(now)
        return actions

    def _tick(self, now: Now) -> list[Action]:
        actions: list[Action] = []
        if self._filters.tick(now):
            actions += self._subscribe()
        for job in self._jobs.values():
            actions += job.tick(now)
        if self._postponed and now.monotonic_ms >= self._retry_ms:
            for name, payload in self._postponed.copy().items():
                actions += self._specified(name, payload, now)
        return actions

    def heard(self, channel: Channel, payload: bytes, now: Now) -> list[Action]:
        """Take a message about a job."""
        try:
            match channel:
                case JobSpecChannel(name):
                    return self._specified(name, payload, now)
                case RoundChannel(name):
                    return self._opened(name, payload, now)
                case AckChannel(name, number) if job := self._jobs.get(name):
                    return job.acked(number, decode(Ack, payload), now)
                case MissingChannel(name, number) if job := self._jobs.get(name):
                    return job.lacking(number, decode(Missing, payload), now)
        except MessageError as error:
            return [Log("warning", f"federated learning: {error}")]
        return []

    def due_ms(self) -> int | None:
        """When a tick has something to do."""
        dues = [job.due_ms() for job in self._jobs.values()]
        dues += [self._filters.due_ms, self._retry_ms if self._postponed else None]
        return min((due for due in dues if due is not None), default=None)

    def statuses(self) -> dict[str, LearningStatus]:
        """Where the device stands in each job that it was told of, and in those it refused."""
        found = {name: job.status() for name, job in self._jobs.items()}
        for name, reason in self._refused.items():
            if service := self._service(name):
                found[name] = LearningStatus("idle", service.pipeline, reason=reason[:400])
        return found

    def metrics(self) -> LearningMetrics | None:
        """What jobs cost so far; None where nothing takes part in any."""
        if not self._patterns:
            return None
        kit = self._kit
        return LearningMetrics(
            *(kit.desk.started, kit.desk.failures, kit.updates, kit.sent_bytes),
            fetched_bytes=kit.blobs.fetched_bytes,
        )

    def _service(self, job: str) -> Service | None:
        return next((service for one, service in self._patterns if matches(one, job)), None)

    def _tidy(self) -> list[Action]:
        """Once, where jobs are served at all: what old jobs left behind."""
        if self._began or not self._patterns:
            return []
        self._began = True
        try:
            self._kit.ports.disk.prune(MAX_JOBS)
        except StorageError as error:
            return [Log("error", f"federated learning: {error}")]
        return []

    def _subscribe(self) -> list[Action]:
        if not self._linked:
            return []
        topics, device = self._kit.topics, self._kit.device
        wanted: set[str] = set()
        for pattern, _ in self._patterns:
            levels = {} if pattern.endswith("*") else {"job": pattern}
            wanted |= {topics.filter(kind, **levels) for kind in (JobSpecChannel, RoundChannel)}
        for name in self._jobs:
            for kind in (AckChannel, MissingChannel):
                wanted.add(topics.filter(kind, job=name, device=device))
        return self._filters.change(wanted)

    def _specified(self, name: str, payload: bytes, now: Now) -> list[Action]:
        service = self._service(name)
        if service is None or (self._specs.get(name) == payload and name not in self._refused):
            return []
        actions: list[Action] = []
        if job := self._jobs.pop(name, None):
            actions += job.leave("it was withdrawn, or has other terms", now)
        for known in (self._specs, self._refused, self._postponed):
            known.pop(name, None)
        if not payload:
            self._rounds.pop(name, None)
            return actions + self._forget(name) + self._subscribe()
        try:
            spec = self._read(name, payload)
            self._make_room()
            job = Job(self._kit, spec, service)
        except (MessageError, StorageError) as error:
            if isinstance(error, StorageError):
                if len(self._postponed) < MAX_JOBS:
                    self._postponed[name] = payload
                self._retry_ms = now.monotonic_ms + RETRY_MS
            if len(self._refused) < MAX_JOBS:
                self._refused[name] = str(error)
            return [*actions, Log("warning", f"job {name} is refused: {error}")]
        self._jobs[name], self._specs[name] = job, payload
        actions += self._subscribe() + job.link(now, up=self._linked)
        return actions + self._opened(name, self._rounds.get(name, b""), now)

    def _read(self, name: str, payload: bytes) -> JobSpec:
        spec = read_job(payload)
        if spec.id != name:
            raise MessageError(f"the document of job {name} is that of {spec.id}")
        return spec

    def _make_room(self) -> None:
        """Let go of a job that is over.

        Raises:
            StorageError: all of them may go on.
        """
        if len(self._jobs) < MAX_JOBS:
            return
        over = next((name for name, job in self._jobs.items() if job.is_over), None)
        if over is None:
            raise StorageError(f"the device serves {MAX_JOBS} jobs already")
        del self._jobs[over], self._specs[over]

    def _opened(self, name: str, payload: bytes, now: Now) -> list[Action]:
        if self._service(name) is None:
            return []
        job = self._jobs.get(name)
        if job is None or not payload:
            if payload and len(self._rounds) < MAX_JOBS:
                self._rounds[name] = payload  # it may come before its job's document
            return []
        told = decode(Round, payload)
        if told.job != name:
            raise MessageError(f"the round of job {name} is one of {told.job}")
        return job.opened(told, now)

    def _forget(self, name: str) -> list[Action]:
        try:
            self._kit.ports.disk.remove(name)
        except StorageError as error:
            return [Log("error", f"job {name}: {error}")]
        return []
