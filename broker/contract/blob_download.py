"""The download of one blob: subscribes to the buckets that it still lacks, a few at a time.

Retained chunks come whenever a bucket is subscribed to, so asking again is subscribing again. What
has been stored survives a lost link, and a restart if the caller says which chunks it has. Only
the SHA-256 of the whole tells good from bad: when it differs, everything is fetched anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from broker.contract.blobs import BUCKET_CHUNKS, CHUNK_BYTES, BlobRef


class State(Enum):
    """Where a download stands."""

    WAITING = "waiting"
    FETCHING = "fetching"
    VERIFYING = "verifying"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Up:
    """There is a link to the broker; also the first event, if there is one."""


@dataclass(frozen=True)
class Down:
    """There is none, and subscriptions are gone; also the first event, if so."""


@dataclass(frozen=True)
class Chunk:
    """A message under a bucket of this blob."""

    bucket: int
    chunk: int
    data: bytes


@dataclass(frozen=True)
class Hashed:
    """The answer to `Verify`: the SHA-256 of what is stored, in hexadecimal."""

    sha256: str


@dataclass(frozen=True)
class Broken:
    """The storage refuses."""

    reason: str


@dataclass(frozen=True)
class Due:
    """It is `due_ms`."""


Event = Up | Down | Chunk | Hashed | Broken | Due


@dataclass(frozen=True)
class Subscribe:
    """Subscribe to a bucket, also if it is subscribed to already."""

    bucket: int


@dataclass(frozen=True)
class Unsubscribe:
    """End the subscription to a bucket."""

    bucket: int


@dataclass(frozen=True)
class Store:
    """Write `data` at `offset`; a chunk may be reported as had after a restart once it is safe."""

    chunk: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Verify:
    """Make all that was stored durable, and answer with `Hashed`."""


@dataclass(frozen=True)
class Discard:
    """Forget all that was stored."""


Effect = Subscribe | Unsubscribe | Store | Verify | Discard


@dataclass(frozen=True)
class Limits:
    """Times and counts of a download.

    Attributes:
        buckets: subscribed to at a time; each may bring 1 MB at once.
        stall_ms: without a new chunk, before the same is asked for again; doubles each time.
        longest_stall_ms: the longest such wait.
        stalls: so many in a row end the download.
        tries: fetches of the whole, when what came was not what was named.
    """

    buckets: int = 3
    stall_ms: int = 10_000
    longest_stall_ms: int = 300_000
    stalls: int = 12
    tries: int = 3


S = State
TABLE: dict[tuple[State, type], str] = {
    (S.WAITING, Up): "look",
    (S.WAITING, Down): "look",
    (S.WAITING, Broken): "fail",
    (S.FETCHING, Up): "resume",
    (S.FETCHING, Down): "wait",
    (S.FETCHING, Chunk): "take",
    (S.FETCHING, Due): "ask_again",
    (S.FETCHING, Broken): "fail",
    (S.VERIFYING, Up): "note",
    (S.VERIFYING, Down): "note",
    (S.VERIFYING, Hashed): "judge",
    (S.VERIFYING, Broken): "fail",
}
"""Every pair that is not here changes nothing."""


@dataclass
class BlobDownload:
    """One blob on its way; `handle` is the only way in.

    Attributes:
        ref: what is fetched.
        have: chunks that are stored already, from before a restart.
        reason: why it failed.
        refused: messages that were no chunk of this blob.
    """

    ref: BlobRef
    have: Iterable[int] = ()
    limits: Limits = Limits()
    state: State = State.WAITING
    reason: str | None = None
    due_ms: int | None = None
    refused: int = 0
    _up: bool = False
    _stalls: int = 0
    _tries: int = 1
    _lacking: dict[int, set[int]] = field(default_factory=dict)
    _open: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lack_all_but(set(self.have))

    @property
    def lacking(self) -> int:
        """Chunks that have not been stored."""
        return sum(map(len, self._lacking.values()))

    def handle(self, event: Event, now_ms: int) -> list[Effect]:
        """Take an event and return what must be done, in this order."""
        if isinstance(event, Due) and (self.due_ms is None or now_ms < self.due_ms):
            return []
        transition = TABLE.get((self.state, type(event)))
        if transition is None:
            return []
        effects: list[Effect] = getattr(self, f"_{transition}")(event, now_ms)
        return effects

    def _lack_all_but(self, have: set[int]) -> None:
        wanted = ((bucket, set(self.ref.chunks_of(bucket)) - have) for bucket in self._buckets())
        self._lacking = {bucket: chunks for bucket, chunks in wanted if chunks}

    def _buckets(self) -> range:
        return range(self.ref.buckets)

    def _look(self, event: Event, now_ms: int) -> list[Effect]:
        self._up = isinstance(event, Up)
        return self._go_on(now_ms)

    def _note(self, event: Event, _: int) -> list[Effect]:
        self._up = isinstance(event, Up)
        return []

    def _go_on(self, now_ms: int) -> list[Effect]:
        """Verify when nothing lacks; else open as many buckets as there is room for."""
        if not self._lacking:
            self.state, self.due_ms = State.VERIFYING, None
            return [Verify()]
        if not self._up:
            self.state, self.due_ms = State.WAITING, None
            return []
        self.state, self.due_ms = State.FETCHING, now_ms + self._patience_ms()
        room = self.limits.buckets - len(self._open)
        more = [bucket for bucket in self._lacking if bucket not in self._open][: max(room, 0)]
        self._open += more
        return [Subscribe(bucket) for bucket in more]

    def _patience_ms(self) -> int:
        return min(self.limits.stall_ms << self._stalls, self.limits.longest_stall_ms)

    def _take(self, event: Chunk, now_ms: int) -> list[Effect]:
        ref, chunk = self.ref, event.chunk
        known = 0 <= chunk < ref.chunks and event.bucket == chunk // BUCKET_CHUNKS
        if not known or len(event.data) != ref.chunk_bytes(chunk):
            self.refused += 1
            return []
        lacking = self._lacking.get(event.bucket, set())
        if chunk not in lacking:
            return []
        lacking.remove(chunk)
        self._stalls = 0
        effects: list[Effect] = [Store(chunk, chunk * CHUNK_BYTES, event.data)]
        if not lacking:
            del self._lacking[event.bucket]
            if event.bucket in self._open:
                self._open.remove(event.bucket)
                effects.append(Unsubscribe(event.bucket))
        return effects + self._go_on(now_ms)

    def _ask_again(self, _: Event, now_ms: int) -> list[Effect]:
        self._stalls += 1
        if self._stalls >= self.limits.stalls:
            lacks = f"{self.lacking} of {self.ref.chunks} chunks"
            return self._end(f"blob {self.ref.sha256[:12]}…: the broker does not give {lacks}")
        self.due_ms = now_ms + self._patience_ms()
        return [Subscribe(bucket) for bucket in self._open]

    def _resume(self, _: Event, now_ms: int) -> list[Effect]:
        """A link anew, of whose loss nobody told."""
        self._open.clear()
        return self._go_on(now_ms)

    def _wait(self, _: Event, now_ms: int) -> list[Effect]:
        self._up = False
        self._open.clear()
        return self._go_on(now_ms)

    def _judge(self, event: Hashed, now_ms: int) -> list[Effect]:
        if event.sha256 == self.ref.sha256:
            self.state = State.DONE
            return []
        if self._tries >= self.limits.tries:
            name = f"blob {self.ref.sha256[:12]}…"
            return self._end(f"{name}: what came has another SHA-256, {self._tries} times")
        self._tries += 1
        self._lack_all_but(set())
        return [Discard(), *self._go_on(now_ms)]

    def _fail(self, event: Broken, _: int) -> list[Effect]:
        return self._end(event.reason)

    def _end(self, reason: str) -> list[Effect]:
        """Give up, and leave what is stored: a later try may use it."""
        self.state, self.reason, self.due_ms = State.FAILED, reason, None
        effects: list[Effect] = [Unsubscribe(bucket) for bucket in self._open] if self._up else []
        self._open.clear()
        return effects


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation."""
    ends = {
        "look": (S.FETCHING, S.VERIFYING),
        "resume": (S.FETCHING,),
        "wait": (S.WAITING,),
        "take": (S.FETCHING, S.VERIFYING),
        "ask_again": (S.FETCHING, S.FAILED),
        "note": (S.VERIFYING,),
        "judge": (S.DONE, S.FETCHING, S.FAILED),
        "fail": (S.FAILED,),
    }
    lines = ["stateDiagram-v2", "    [*] --> waiting"]
    for (state, event), transition in TABLE.items():
        label = f"{event.__name__.lower()} / {transition.replace('_', ' ')}"
        lines += [f"    {state.value} --> {end.value}: {label}" for end in ends[transition]]
    return "\n".join(lines) + "\n"
