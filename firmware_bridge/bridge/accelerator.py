"""One device as an accelerator: a table of states around its client, a queue, its plans.

It is asked for nothing unless it answered STAT. What it does wrong, late or not at all costs it a
quarantine that doubles; the job that was lost on it is told at once.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from firmware_bridge.bridge.health import Health, Tally
from firmware_bridge.bridge.jobs import Job, Outcome, Verdict
from firmware_bridge.bridge.residency import Residency
from firmware_bridge.bridge.states import HEALTHY, TABLE, Cause, State
from firmware_bridge.bridge.variants import Variants
from firmware_bridge.calls.client import Client, ClientEvent, Down, Expired, Replied, Up
from firmware_bridge.calls.methods import CallStatus, Method, Stat, pack_infer, unpack_outputs
from firmware_bridge.calls.upload import Phase, Upload
from firmware_bridge.errors import RecordError
from firmware_bridge.link.opening import Welcome

MAX_QUEUE = 8
PROBE_MS = 1000
DROP_MS = 5000
DISTRUST_STRIKES = 6


@dataclass(slots=True)
class Accelerator:
    """A device, without I/O: used like its `Client`; outcomes are taken from `outcomes`.

    Attributes:
        port: where it is; empty while it is nowhere.
        reason: why it is not healthy, or what was amiss last.
    """

    name: str
    port: str = ""
    state: State = State.CONNECTING
    reason: str = "no port"
    residency: Residency = field(default_factory=Residency)
    tally: Tally = field(default_factory=Tally)
    outcomes: list[Outcome] = field(default_factory=list)
    welcome: Welcome | None = None
    stat: Stat | None = None
    _client: Client | None = None
    _queue: deque[Job] = field(default_factory=deque)
    _wanted: dict[bytes, bytes] = field(default_factory=dict)
    _job: Job | None = None
    _upload: Upload | None = None
    _call: int | None = None
    _began_ms: int = 0
    _health: Health = field(default_factory=Health)

    @property
    def is_healthy(self) -> bool:
        """Whether jobs may be sent there."""
        return self.state in HEALTHY

    @property
    def standing(self) -> State:
        """Its state for others: a job that runs for a moment is no news."""
        return State.READY if self.state is State.RUNNING else self.state

    @property
    def load(self) -> int:
        """Jobs that wait or run."""
        return len(self._queue) + (self._job is not None)

    def plan_for(self, variants: Variants) -> bytes:
        """Return which of a model's plans is for the kernels here."""
        return variants.plan_for(self.welcome.about.target if self.welcome else 0)

    @property
    def epoch(self) -> int:
        """Another number after each start of the device."""
        return self.welcome.boot_nonce if self.welcome else 0

    @property
    def next_ms(self) -> int | None:
        """When `poll` must be called at the latest."""
        times = [job.expires_ms for job in self._queue]
        if self._client is not None and self._client.next_ms is not None:
            times.append(self._client.next_ms)
        if self.state is State.QUARANTINED:
            times.append(self._health.until_ms)
        return min(times, default=None)

    def attach(self, client: Client, port: str) -> None:
        """A port was opened."""
        self._client, self.port = client, port
        self.reason = "nobody answers on the port yet"

    def detach(self, reason: str, now_ms: int) -> None:
        """The port is gone."""
        self._down(reason, now_ms)
        self._client, self.port, self.reason = None, "", reason

    def submit(self, job: Job, now_ms: int) -> None:
        """Queue a job for a plan that is here."""
        if self.state is State.UPLOADING or len(self._queue) >= MAX_QUEUE:
            self._end(job, Verdict.BUSY)
        else:
            self._queue.append(job)
            self._work(now_ms)

    def want(self, sha256: bytes, plan: bytes, now_ms: int) -> None:
        """Bring a plan here when there is time for it."""
        self._wanted[sha256] = plan
        self._work(now_ms)

    def distrust(self, now_ms: int) -> None:
        """An answer from here was shown to be wrong."""
        self._health.blame(now_ms, DISTRUST_STRIKES)
        self._fail("gave a wrong answer", now_ms)

    def take_output(self) -> bytes:
        """Bytes to write to the port."""
        return self._client.take_output() if self._client else b""

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the port."""
        if self._client is not None:
            self._handle(self._client.receive(data, now_ms), now_ms)

    def poll(self, now_ms: int) -> None:
        """Do what is due."""
        for job in [one for one in self._queue if now_ms >= one.expires_ms]:
            self._queue.remove(job)
            self.tally.late += 1
            self._end(job, Verdict.LATE)
        if self.state is State.QUARANTINED and now_ms >= self._health.until_ms and self._client:
            self._move(Cause.DUE)
            self._probe(now_ms)
        self._work(now_ms)
        if self._client is not None:
            self._handle(self._client.poll(now_ms), now_ms)

    def _move(self, cause: Cause) -> bool:
        after = TABLE.get((self.state, cause))
        if after is not None:
            self.state = after
        return after is not None

    def _handle(self, events: list[ClientEvent], now_ms: int) -> None:
        for event in events:
            if isinstance(event, Up):
                self._up(event.welcome, now_ms)
            elif isinstance(event, Down):
                self._down(f"the link was lost: {event.reason.name.lower()}", now_ms)
            else:
                try:
                    self._answered(event, now_ms)
                except RecordError as error:
                    self._fail(str(error), now_ms)
        self._work(now_ms)

    def _up(self, welcome: Welcome, now_ms: int) -> None:
        if welcome.boot_nonce != self.epoch:
            self.residency.restarted()
        self.welcome = welcome
        self.residency.found(welcome.about.plans)
        if not self._move(Cause.UP):
            return
        if now_ms < self._health.until_ms:
            self.state = State.QUARANTINED
        else:
            self._probe(now_ms)

    def _down(self, reason: str, now_ms: int) -> None:
        if self._job is not None:
            self._fail(reason, now_ms)
        if self._move(Cause.DOWN):
            self.reason = reason
            self._drop_work(Verdict.LOST)

    def _probe(self, now_ms: int) -> None:
        assert self._client is not None
        self._call = self._client.call(Method.STAT, b"", now_ms, PROBE_MS)

    def _work(self, now_ms: int) -> None:
        """Give a ready device the next job, else the next plan."""
        if self.state is not State.READY or self._client is None:
            return
        if self._queue:
            self._job, self._began_ms = self._queue.popleft(), now_ms
            self._move(Cause.JOB)
            body = pack_infer(self.plan_for(self._job.variants), self._job.inputs)
            left_ms = self._job.expires_ms - now_ms
            self._call = self._client.call(Method.INFER, body, now_ms, left_ms)
        elif self._wanted:
            sha256 = next(iter(self._wanted))
            self._upload = Upload(self._client, self._wanted.pop(sha256), sha256)
            self._move(Cause.UPLOAD)
            self._upload.start(now_ms)

    def _answered(self, event: Replied | Expired, now_ms: int) -> None:
        if self._upload is not None and self._upload.handle(event, now_ms):
            self._uploaded(self._upload, now_ms)
        elif event.number != self._call:
            return
        elif isinstance(event, Expired):
            self._fail("did not answer in time", now_ms, Verdict.LATE)
        elif self.state is State.PROBING:
            self.stat = Stat.unpack(event.body)
            self.reason, self._call = "", None
            self._move(Cause.ALIVE)
        elif self._job is not None:
            self._inferred(self._job, event, now_ms)

    def _inferred(self, job: Job, reply: Replied, now_ms: int) -> None:
        sha256 = self.plan_for(job.variants)
        if reply.status is CallStatus.OK:
            ticks, outputs = unpack_outputs(reply.body)
            if len(outputs) != job.output_bytes:
                told = f"answered {len(outputs)} bytes instead of {job.output_bytes}"
                self._fail(told, now_ms)
                return
            self.residency.used(sha256, now_ms)
            self._health.praise()
            self.tally.answered += 1
            self.tally.busy_ms += now_ms - self._began_ms
            outcome = Outcome(job.token, Verdict.OK, self.name, self.epoch, ticks, outputs)
            self.outcomes.append(outcome)
        elif reply.status is CallStatus.NO_PLAN:
            self.residency.lost(sha256)
            self._end(job, Verdict.UNREADY)
        elif reply.status is CallStatus.BAD_REQUEST:
            self.residency.refuse(sha256, "does not take the input", now_ms)
            self._end(job, Verdict.REFUSED)
        elif reply.status is CallStatus.BUSY:
            self._end(job, Verdict.BUSY)
        else:
            self._fail(f"answered {reply.status.name} to INFER", now_ms)
            return
        self._job = self._call = None
        self._move(Cause.DONE)

    def _uploaded(self, upload: Upload, now_ms: int) -> None:
        if upload.phase is Phase.DONE:
            self.tally.uploads += 1
            self.residency.used(upload.sha256, now_ms)
        elif upload.phase is not Phase.FAILED:
            return
        elif upload.status is CallStatus.NO_ROOM:
            if self._make_room(upload, now_ms):
                return
        elif upload.status is CallStatus.PLAN_REFUSED:
            self.residency.refuse(upload.sha256, upload.refusal)
        else:
            self._fail(upload.refusal, now_ms)
            return
        self._upload = None
        self._move(Cause.DONE)

    def _make_room(self, upload: Upload, now_ms: int) -> bool:
        assert self._client is not None
        if (victim := self.residency.displace(now_ms)) is not None:
            self._client.call(Method.PLAN_DROP, victim, now_ms, DROP_MS)
            self._upload = Upload(self._client, upload.plan, upload.sha256)
            self._upload.start(now_ms)
            return True
        is_passing = bool(self.residency.plans)
        self.residency.refuse(upload.sha256, "has no room", now_ms if is_passing else None)
        return False

    def _fail(self, reason: str, now_ms: int, verdict: Verdict = Verdict.LOST) -> None:
        self.reason = reason
        self._health.blame(now_ms)
        self.tally.quarantines += 1
        self._move(Cause.FAILED)
        self._drop_work(verdict)

    def _drop_work(self, verdict: Verdict) -> None:
        """End what was begun; what only waits goes back, for another device or for none."""
        if self._client is not None and self._call is not None:
            self._client.forget(self._call)
        if self._upload is not None:
            self._upload.abandon()
        if self._job is not None:
            self.tally.late += verdict is Verdict.LATE
            self.tally.lost += verdict is not Verdict.LATE
            self._end(self._job, verdict)
        self._call = self._upload = self._job = None
        self._wanted.clear()
        for job in self._drained():
            self._end(job, Verdict.NO_DEVICE)

    def _drained(self) -> Iterator[Job]:
        while self._queue:
            yield self._queue.popleft()

    def _end(self, job: Job, verdict: Verdict) -> None:
        self.outcomes.append(Outcome(job.token, verdict, self.name, self.epoch))
