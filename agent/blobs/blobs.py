"""Fetching blobs for whoever wants them: one download each, whoever else wants the same.

What somebody wants stays on the disk until it is released; of the rest the longest unused goes when
room is needed. A download goes on after a lost link, and after a restart once it is wanted again.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.blobs.store import BlobStore
from agent.config.device import DeviceConfig
from agent.control.events import (
    Action,
    Event,
    LinkDown,
    LinkUp,
    Log,
    Now,
    Subscribe,
    Tick,
    Unsubscribe,
)
from agent.errors import StorageError
from broker.contract import blob_download as d
from broker.contract.blobs import BlobRef
from broker.contract.channel import Channel
from broker.contract.federated.channels import BlobChannel
from broker.contract.topics import Topics

AT_ONCE = 3
"""Downloads at a time, each of one bucket: 3 MB, which is what may wait to be read."""

LIMITS = d.Limits(buckets=1, stalls=4)
"""A blob that is not at the broker gives way to others after two and a half minutes."""

MAX_WANTED = 256
HASH_STEP_BYTES = 2**20
"""Hashed in one turn of the main loop: some ms on a Pi."""


@dataclass(frozen=True)
class Arrived:
    """A blob lies whole and verified at `path`, and stays there until it is released."""

    ref: BlobRef
    path: str


@dataclass(frozen=True)
class Failed:
    """It cannot be had, for now; it is no longer wanted."""

    ref: BlobRef
    reason: str


News = Arrived | Failed


class Owner(Protocol):
    """Somebody who wants blobs."""

    def blob(self, news: News, now: Now) -> list[Action]:
        """Take what became of one."""


@dataclass
class _Job:
    """A download under way; while it is verified, how far."""

    download: d.BlobDownload
    hasher: Any = None
    hashed_bytes: int = 0


@dataclass
class Blobs:
    """The blobs of one device."""

    store: BlobStore
    topics: Topics
    limit_bytes: int = 0
    fetched_bytes: int = 0
    _linked: bool = False
    _owners: dict[BlobRef, list[Owner]] = field(default_factory=dict)
    _waiting: list[BlobRef] = field(default_factory=list)
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _news: list[tuple[Owner, News]] = field(default_factory=list)

    def want(self, owner: Owner, ref: BlobRef, now: Now) -> list[Action]:
        """Get a blob, or find it; `owner` is told at a later tick, and once more if asked again."""
        owners = self._owners.setdefault(ref, [])
        if owner not in owners:
            owners.append(owner)
        if ref in self._waiting or self._is_under_way(ref):
            return []
        try:
            found = {one.sha256: one.bytes for one in self.store.held() if one.whole}
            if found.get(ref.sha256) == ref.bytes:
                self.store.use(ref.sha256)
                self._tell(owner, Arrived(ref, self.store.path(ref.sha256)))
                return []
        except StorageError as error:
            return self._give_up(ref, str(error))
        if ref.sha256 in found:
            return self._give_up(ref, f"has {found[ref.sha256]} bytes, not {ref.bytes}")
        if len(self._owners) > MAX_WANTED:
            return self._give_up(ref, f"{MAX_WANTED} blobs are wanted already")
        self._waiting.append(ref)
        return self._begin(now)

    def release(self, owner: Owner, now: Now, ref: BlobRef | None = None) -> list[Action]:
        """Want a blob no longer, or none any more."""
        self._news = [(o, n) for o, n in self._news if o is not owner or ref not in (None, n.ref)]
        actions: list[Action] = []
        for one in [ref] if ref is not None else list(self._owners):
            owners = self._owners.get(one, [])
            if owner in owners:
                owners.remove(owner)
            if not owners:
                actions += self._drop(one, now)
        return actions

    def configure(self, config: DeviceConfig, now: Now) -> list[Action]:
        """Keep to another bound; what is there already goes when something else needs room."""
        self.limit_bytes = config.blobs.limit_bytes
        return []

    def handle(self, event: Event, now: Now) -> list[Action]:
        """Take what happens to the link, and the time."""
        actions: list[Action] = []
        match event:
            case LinkUp() | LinkDown():
                self._linked = isinstance(event, LinkUp)
                for job in list(self._jobs.values()):
                    actions += self._feed(job, self._link(), now)
            case Tick():
                for job in list(self._jobs.values()):
                    actions += self._feed(job, d.Due(), now)
                    actions += self._hash(job, now)
                told, self._news = self._news, []
                for owner, news in told:
                    actions += owner.blob(news, now)
        return actions + self._begin(now)

    def heard(self, channel: Channel, payload: bytes, now: Now) -> list[Action]:
        """Take a chunk."""
        if not isinstance(channel, BlobChannel) or channel.sha256 not in self._jobs:
            return []
        job = self._jobs[channel.sha256]
        return self._feed(job, d.Chunk(channel.bucket, channel.chunk, payload), now)

    def due_ms(self) -> int | None:
        """When a tick has something to do; 0 is at once."""
        if self._news or any(job.hasher is not None for job in self._jobs.values()):
            return 0
        dues = (job.download.due_ms for job in self._jobs.values())
        return min((due for due in dues if due is not None), default=None)

    def _is_under_way(self, ref: BlobRef) -> bool:
        return ref.sha256 in self._jobs and self._jobs[ref.sha256].download.ref == ref

    def _link(self) -> d.Event:
        return d.Up() if self._linked else d.Down()

    def _tell(self, owner: Owner, news: News) -> None:
        if (owner, news) not in self._news:
            self._news.append((owner, news))

    def _begin(self, now: Now) -> list[Action]:
        """Start what waits, as many as may run; two lengths of one digest come after each other."""
        actions: list[Action] = []
        for ref in list(self._waiting):
            if len(self._jobs) >= AT_ONCE:
                break
            if ref.sha256 in self._jobs:
                continue
            self._waiting.remove(ref)
            try:
                self._make_room(ref)
                job = _Job(d.BlobDownload(ref, self.store.chunks(ref), LIMITS))
            except StorageError as error:
                actions += self._give_up(ref, str(error))
                continue
            self._jobs[ref.sha256] = job
            actions += self._feed(job, self._link(), now)
        return actions

    def _make_room(self, ref: BlobRef) -> None:
        """Delete what nobody wants, the longest unused first, until the blob fits.

        Raises:
            StorageError: it does not fit, or the disk refuses.
        """
        pinned = {one.sha256 for one in self._owners} | self._jobs.keys()
        held = [one for one in self.store.held() if one.sha256 != ref.sha256]
        coming = {sha256: job.download.ref.bytes for sha256, job in self._jobs.items()}
        sizes = {one.sha256: one.bytes for one in held} | coming
        over_bytes = sum(sizes.values()) + ref.bytes - self.limit_bytes
        spare = [one for one in held if one.sha256 not in pinned]
        if over_bytes > sum(one.bytes for one in spare):
            raise StorageError(
                f"{ref.bytes} bytes do not fit into blobs.limit_bytes of {self.limit_bytes}"
            )
        for one in spare:
            if over_bytes <= 0:
                break
            self.store.delete(one.sha256)
            over_bytes -= one.bytes

    def _feed(self, job: _Job, event: d.Event, now: Now) -> list[Action]:
        ref, actions = job.download.ref, list[Action]()
        fault: StorageError | None = None
        for effect in job.download.handle(event, now.monotonic_ms):
            try:
                match effect:
                    case d.Subscribe(bucket):
                        actions.append(Subscribe((self._filter(ref, bucket),)))
                    case d.Unsubscribe(bucket):
                        actions.append(Unsubscribe((self._filter(ref, bucket),)))
                    case d.Store(chunk, _, data):
                        self.store.write(ref, chunk, data)
                        self.fetched_bytes += len(data)
                    case d.Verify():
                        job.hasher, job.hashed_bytes = hashlib.sha256(), 0
                    case d.Discard():
                        self.store.discard(ref)
            except StorageError as error:
                fault = error
        if fault is not None:
            return actions + self._feed(job, d.Broken(str(fault)), now)
        return actions + self._settle(job)

    def _hash(self, job: _Job, now: Now) -> list[Action]:
        """Read on; at the end, tell the download what came."""
        if job.hasher is None:
            return []
        ref = job.download.ref
        length = min(HASH_STEP_BYTES, ref.bytes - job.hashed_bytes)
        try:
            data = self.store.read(ref, job.hashed_bytes, length)
        except StorageError as error:
            job.hasher = None
            return self._feed(job, d.Broken(str(error)), now)
        job.hasher.update(data)
        job.hashed_bytes += len(data)
        if len(data) == length and job.hashed_bytes < ref.bytes:
            return []
        digest, job.hasher = job.hasher.hexdigest(), None
        return self._feed(job, d.Hashed(digest), now)

    def _settle(self, job: _Job) -> list[Action]:
        """Tell everybody, if a download is over."""
        ref, state = job.download.ref, job.download.state
        if state not in (d.State.DONE, d.State.FAILED) or self._jobs.get(ref.sha256) is not job:
            return []
        del self._jobs[ref.sha256]
        if state is d.State.FAILED:
            return self._give_up(ref, job.download.reason or "")
        try:
            self.store.finish(ref)
        except StorageError as error:
            return self._give_up(ref, str(error))
        for owner in self._owners.get(ref, []):
            self._tell(owner, Arrived(ref, self.store.path(ref.sha256)))
        return []

    def _give_up(self, ref: BlobRef, reason: str) -> list[Action]:
        owners = self._owners.pop(ref, [])
        for owner in owners:
            self._tell(owner, Failed(ref, reason))
        return [Log("warning", f"blob {ref.sha256[:12]}…: {reason}")] if owners else []

    def _drop(self, ref: BlobRef, now: Now) -> list[Action]:
        """Nobody wants it; what came of it stays until room is needed."""
        self._owners.pop(ref, None)
        if ref in self._waiting:
            self._waiting.remove(ref)
        if not self._is_under_way(ref):
            return []
        job = self._jobs.pop(ref.sha256)
        job.hasher = None
        return self._feed(job, d.Broken("not wanted"), now)

    def _filter(self, ref: BlobRef, bucket: int) -> str:
        return self.topics.filter(BlobChannel, sha256=ref.sha256, bucket=bucket)
