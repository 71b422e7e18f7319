"""What all jobs of a device share, and what they ask of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.blobs.blobs import Arrived, Blobs, News
from agent.config.learning import LearningConfig
from agent.control.desk import Desk
from agent.control.events import Action, Now, StartLearner, StopLearner
from agent.learning.jobs.conditions import Conditions, trainer_of
from agent.learning.jobs.disk import JobDisk
from agent.learning.learner.request import Request
from agent.learning.samples.store import SampleStore
from broker.contract.blobs import BlobRef
from broker.contract.federated.job import JobSpec
from broker.contract.federated.round import Round
from broker.contract.topics import Topics


@dataclass(frozen=True)
class Ports:
    """What federated jobs need of the machine.

    Attributes:
        conditions: reads them.
        samples: path of the store, for learners.
        cache: folder of machine code.
    """

    disk: JobDisk
    conditions: Callable[[], Conditions]
    samples: str
    cache: str | None = None


@dataclass
class Kit:
    """Shared by the jobs of one device.

    Attributes:
        updates: that counted; `sent_bytes`: of slices that the broker has taken.
    """

    device: str
    topics: Topics
    runtimes: tuple[str, ...]
    random: Callable[[], float]
    ports: Ports
    samples: SampleStore
    blobs: Blobs
    desk: Desk[Request] = field(default_factory=lambda: Desk(StartLearner, StopLearner))
    updates: int = 0
    sent_bytes: int = 0


@dataclass(frozen=True)
class Service:
    """The pipeline that serves a job, and on what terms; which jobs those are is left out."""

    pipeline: str
    config: LearningConfig


class Gathering:
    """The blobs that one piece of work needs; they stay on the disk until they are released."""

    def __init__(
        self,
        blobs: Blobs,
        done: Callable[[Now], list[Action]],
        failed: Callable[[str, Now], list[Action]],
    ) -> None:
        self.paths: dict[BlobRef, str] = {}
        self._blobs, self._done, self._failed = blobs, done, failed
        self._lacking: set[BlobRef] = set()

    def begin(self, refs: Iterable[BlobRef], now: Now) -> list[Action]:
        """Get these, and tell once: all are there, or the first that cannot be had."""
        self._lacking, self.paths = set(refs), {}
        wanted = sorted(self._lacking, key=lambda ref: ref.sha256)
        return [action for ref in wanted for action in self._blobs.want(self, ref, now)]

    def blob(self, news: News, now: Now) -> list[Action]:
        """Take what became of one."""
        if news.ref not in self._lacking:
            return []
        if not isinstance(news, Arrived):
            self._lacking.clear()
            return self._failed(news.reason, now)
        self.paths[news.ref] = news.path
        self._lacking.remove(news.ref)
        return [] if self._lacking else self._done(now)

    def release(self, now: Now) -> list[Action]:
        """Need them no longer."""
        self._lacking.clear()
        return self._blobs.release(self, now)


def needed(kit: Kit, service: Service, spec: JobSpec, *vectors: BlobRef | None) -> set[BlobRef]:
    """The blobs of some work on a job: vectors, the trainer for this machine, the backbone."""
    found = trainer_of(spec.model, service.config.runtime, kit.runtimes)
    several = (*vectors, found and found[1], spec.model.backbone)
    return {ref for ref in several if ref is not None}


def request(
    kit: Kit, service: Service, spec: JobSpec, told: Round, paths: dict[BlobRef, str]
) -> Request:
    """The request of a learner, but for what it is to do: `output` or `baseline`.

    Args:
        paths: of all that is `needed`.
    """
    found = trainer_of(spec.model, service.config.runtime, kit.runtimes)
    assert found is not None, "work was begun without a trainer"
    runtime, trainer = found
    limits_s = (service.config.limit_s, spec.deadline_s)
    backbone, control = spec.model.backbone, told.control
    return Request(
        *(spec, told, kit.device, service.pipeline, kit.ports.samples),
        model=paths[told.model],
        trainer=paths[trainer],
        runtime="wasm3" if runtime == "wasm3" else "wasmtime",
        control=paths.get(control) if control is not None else None,
        backbone=paths.get(backbone) if backbone is not None else None,
        cache=kit.ports.cache,
        deadline_s=min(limits_s),
    )
