"""An agent core that serves jobs; its learners are played, and every blob is there."""

import dataclasses
import itertools
import json
from typing import Any

from agent.control.events import LearnerEnded, Publish, Receipt, StopLearner, Taken
from agent.learning.learner.request import Report, Request
from agent.learning.samples.sample import Example, Sample
from broker.contract.blobs import BlobRef, blob_ref
from broker.contract.federated.job import JobSpec, check_job
from broker.contract.federated.round import Ack, Evaluation, Missing, Round
from broker.contract.messages import encode
from broker.contract.shape import parse
from tests.support.sim import PREFIX, Rig, pipeline

PARAMETERS, SLICES = 70, 7
SIMD, SCALAR = b"\0asm simd", b"\0asm scalar"
COUNTED = Ack(whole=True, counted=True)


def model(number: int) -> bytes:
    """The parameters that a round begins with."""
    return number.to_bytes(4, "little") * PARAMETERS


def job(name: str = "digits", **changes: Any) -> JobSpec:
    """A job of seven slices."""
    trainers = {"simd": blob_ref(SIMD), "scalar": blob_ref(SCALAR)}
    tree = {
        "id": name,
        "model": {
            "name": "head",
            "parameters": PARAMETERS,
            "initial": dataclasses.asdict(blob_ref(model(0))),
            "trainers": {target: dataclasses.asdict(ref) for target, ref in trainers.items()},
            "example_floats": 1,
            "labels": ["no", "yes"],
        },
        "slice_parameters": 10,
        "participation": {"min_examples": 3},
    }
    spec = parse(JobSpec, tree | changes)
    assert isinstance(spec, JobSpec), spec
    check_job(spec)
    return spec


def opened(number: int = 1, name: str = "digits", **changes: Any) -> Round:
    """The message of a round."""
    told = Round(name, number, "open", blob_ref(model(number)), open_for_s=60.0, goal=3)
    return dataclasses.replace(told, **changes)


def samples(count: int, label: str = "yes") -> list[Sample]:
    """Some samples."""
    return [Sample(f"{label} {n}", label, Example(bytes(4), "float32")) for n in range(count)]


class LearningRig(Rig):
    """A rig with samples, a broker that has every blob, and what it takes to play a learner."""

    def __init__(self, *jobs: str, **more: Any) -> None:
        tree = more.pop("tree", None) or {
            "pipelines": {
                "cam": pipeline(enabled=False, learning={"jobs": list(jobs or ["digits"])})
            }
        }
        self.stopped: list[int] = []
        self.made = itertools.count()
        super().__init__(tree, **more)
        for data in (SIMD, SCALAR, *map(model, range(9))):
            self.blobs.whole[blob_ref(data).sha256] = data
        if not self.samples.kept:
            self.samples.put("cam", samples(5), None, None)

    def again(self) -> "LearningRig":
        """Another agent on the same disks, as after a SIGKILL."""
        return LearningRig(
            tree=self.tree,
            store=self.store,
            samples=self.samples,
            blobs=self.blobs,
            jobs=self.jobs,
            remembered=self.remembered,
            now_ms=self.now_ms,
        )

    def perform(self, actions: list[Any]) -> None:
        self.stopped += [action.token for action in actions if isinstance(action, StopLearner)]
        super().perform(actions)

    def spec(self, spec: JobSpec) -> None:
        """The job's document comes."""
        self.receive(f"fl/{spec.id}/spec", encode(spec))

    def round(self, told: Round) -> None:
        """A round's message comes, and the time to look at it."""
        self.receive(f"fl/{told.job}/round", encode(told))
        self.wait(1)

    def ack(self, number: int = 1, ack: Ack = COUNTED, name: str = "digits") -> None:
        """The aggregator says what became of an update."""
        self.receive(f"fl/{name}/{number}/ack/{self.device}", encode(ack))

    def lack(self, *ranges: tuple[int, int], number: int = 1, name: str = "digits") -> None:
        """The aggregator says what it lacks."""
        self.receive(f"fl/{name}/{number}/missing/{self.device}", encode(Missing(ranges)))

    def forget(self, label: str | None = None) -> None:
        """An operator has samples of the pipeline forgotten."""
        args = {"pipeline": "cam"} | ({"label": label} if label else {})
        self.receive("devices/dev/cmd/forget/1", {"status": "init", "args": args})

    def desire(self, **learning: Any) -> None:
        """An operator changes how the pipeline learns."""
        tree = {"pipelines": {"cam": {"learning": learning}}}
        self.receive("devices/dev/config/desired", tree)

    @property
    def request(self) -> Request:
        """What the learner at work was asked."""
        (found,) = self.learners.values()
        return found

    def learn(self, evaluation: Evaluation | None = None, slices: int = SLICES) -> None:
        """The learner is done; every update is another one."""
        (token,) = self.learners
        asked = self.learners.pop(token)
        mark = next(self.made)
        report = Report(asked.spec.id, asked.round.number, slices, 5, 2, evaluation=evaluation)
        if asked.output is not None:
            pieces = [f"{id(self)} {mark} {place}".encode() for place in range(slices)]
            self.jobs.leave(asked.output, report, pieces)
        self.handle(LearnerEnded(token, report))
        self.wait(1)

    def fail(self, reason: str = "the loss is NaN") -> None:
        """The learner ends without an update."""
        (token,) = self.learners
        del self.learners[token]
        self.handle(LearnerEnded(token, reason=reason))

    def slices(self) -> list[Publish]:
        """Every slice that was published, in order."""
        return [message for message in self.published if message.receipt is not None]

    def places(self) -> list[int]:
        """Numbers of the slices that were published."""
        return [message.receipt.slice for message in self.slices() if message.receipt]

    def take(self, count: int = 100) -> None:
        """The broker acknowledges slices, the earliest first, and those that then come."""
        for _ in range(count):
            if self.flying:
                self.handle(Taken(self.flying.pop(0)))

    @property
    def flying(self) -> list[Receipt]:
        """Receipts of slices that the broker has not acknowledged."""
        if not hasattr(self, "_flying"):
            self._flying: list[Receipt] = []
            self._seen = 0
        fresh = self.slices()[self._seen :]
        self._seen += len(fresh)
        self._flying += [message.receipt for message in fresh if message.receipt]
        return self._flying

    def where(self, name: str = "digits") -> str:
        """Where it says that it stands, once it may say so."""
        self._settle()
        told = (self.last("status") or {}).get("learning", {})
        return told.get(name, {}).get("state", "")

    def why(self, name: str = "digits") -> str:
        """The reason that it tells."""
        self._settle()
        return self.last("status")["learning"][name].get("reason", "")

    def _settle(self) -> None:
        """The main loop ticks after each event; changes of status wait a little for more."""
        self.wait(1)
        self.wait(300)

    def serving(self, spec: JobSpec | None = None, told: Round | None = None) -> "LearningRig":
        """With a link, a job and a round."""
        self.link_up()
        self.spec(spec or job())
        self.round(told or opened())
        return self

    def evaluations(self) -> list[dict[str, Any]]:
        """What it told of models."""
        return [json.loads(m.payload) for m in self.published if "/eval/" in m.topic]

    def path(self, data: bytes) -> str:
        """Where a blob lies."""
        return self.blobs.path(blob_ref(data).sha256)


def ref(number: int) -> BlobRef:
    """The blob of a model."""
    return blob_ref(model(number))


def topic(place: int, number: int = 1, name: str = "digits") -> str:
    """Where a slice of this device goes."""
    return f"{PREFIX}/fl/{name}/{number}/up/0/dev/{place}"
