"""The outbox against a plain model of it, under a disk that refuses, fills up, and crashes."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.config.device import OutboxConfig
from agent.errors import FullError, StorageError
from agent.outbox import outbox as module
from agent.outbox.outbox import Outbox
from agent.outbox.store import Row, Store

HOT, STRANDED = 1500, 3000
REAL_BOUNDS = module.HOT_LIMIT_BYTES, module.STRANDED_LIMIT_BYTES
CALLS = ["append", "delete", "load", "evict", "expire", "reserve"]
CONFIGS = st.builds(
    OutboxConfig,
    limit_bytes=st.sampled_from([1500, 4000, 10**6]),
    max_age_s=st.sampled_from([30, 200, 10**6]),
    commit_interval_ms=st.sampled_from([0, 100, 5000]),
    window=st.integers(1, 6),
)


class Flaky:
    """Any store, with calls that fail on demand."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.broken: set[str] = set()
        self.full = False

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)

        def checked(*arguments: Any) -> Any:
            if name in self.broken:
                raise StorageError("broken")
            if self.full and name == "append":
                raise FullError("full")
            return call(*arguments)

        return checked if name in CALLS else call


class OutboxModel(RuleBasedStateMachine):
    """Subclasses say where rows are kept.

    Attributes:
        known: payload and size of everything that this run put or found, less what it delivered.
        flying: row ids on their way, with their payloads.
    """

    def make_store(self) -> Store:
        raise NotImplementedError

    def reopen_store(self, store: Any) -> Store:
        """After a crash: whatever the disk holds."""
        raise NotImplementedError

    @initialize(config=CONFIGS)
    def begin(self, config: OutboxConfig) -> None:
        module.HOT_LIMIT_BYTES, module.STRANDED_LIMIT_BYTES = HOT, STRANDED
        self.config, self.now_ms, self.count = config, 5000, 0
        self.sequences: list[int] = []
        self.delivered: set[bytes] = set()
        self.store = Flaky(self.make_store())
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.store, self.config, self.now_ms)
        self.known = {row.payload for row in self.on_disk()}
        self.found = set(self.known)
        self.acknowledged: set[bytes] = set()
        self.flying: dict[int, bytes] = {}
        self.ids: dict[bytes, int] = {}
        self.last_cold = 0
        self.numbered = False

    def on_disk(self) -> list[Row]:
        return self.store._store.load(0, 10**9)

    @rule(priority=st.integers(0, 2), size=st.integers(20, 400))
    def put(self, priority: int, size: int) -> None:
        try:
            sequence = self.outbox.sequences.next("cam")
        except StorageError:
            assert "reserve" in self.store.broken
            return
        self.sequences.append(sequence)
        self.numbered = True
        self.count += 1
        payload = f"{self.count}:{priority}".encode().ljust(size)
        self.known.add(payload)
        self.outbox.put("cam", payload, priority, self.now_ms)
        if self.config.commit_interval_ms == 0 and self.outbox.healthy:
            assert not self.outbox._hot, "it is durable before it can be taken"

    @rule(sizes=st.lists(st.integers(20, 100), min_size=4, max_size=10))
    def put_many(self, sizes: list[int]) -> None:
        for size in sizes:
            self.put(1, size)

    @rule()
    def take(self) -> None:
        taken = self.outbox.take(self.now_ms)
        for row in taken:
            assert row.payload in self.known, "lost or delivered already"
            assert row.id not in self.flying
            assert row.payload not in self.flying.values()
            assert self.ids.setdefault(row.payload, row.id) == row.id
            if row.payload in self.found:
                assert self.outbox.late(row, self.now_ms)
            self.flying[row.id] = row.payload
        assert len(self.flying) <= max(self.config.window, len(self.flying) - len(taken))
        cold = [row.id for row in taken if row.id in self.outbox._cold_flying]
        assert cold == sorted(cold)
        if cold:
            assert cold[0] > self.last_cold, "the oldest goes first"
            self.last_cold = cold[-1]

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), twice=st.booleans())
    def acknowledge(self, data: st.DataObject, twice: bool) -> None:
        row_id = data.draw(st.sampled_from(sorted(self.flying)))
        payload = self.flying.pop(row_id)
        gone = row_id in self.outbox._cold_flying and self.outbox._cold_flying[row_id].gone
        self.outbox.acknowledge(row_id)
        if twice:
            self.outbox.acknowledge(row_id)
        self.acknowledged.add(payload)
        self.delivered.add(payload)
        self.known.remove(payload)
        assert not gone or payload not in {row.payload for row in self.on_disk()}

    @rule(ms=st.sampled_from([0, 50, 1000, 6000, 61_000]))
    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.outbox.tend(self.now_ms)
        assert self.outbox.due_ms() > self.now_ms, "busy"

    @rule()
    def commit(self) -> None:
        self.outbox.commit(self.now_ms)
        if self.outbox.healthy:
            assert not self.outbox._hot
            assert self.outbox.bytes <= self.config.limit_bytes

    @rule(broken=st.sets(st.sampled_from(CALLS)), full=st.booleans())
    def disk_fails(self, broken: set[str], full: bool) -> None:
        self.store.broken, self.store.full = broken, full

    @rule()
    def disk_recovers(self) -> None:
        self.store.broken, self.store.full = set(), False

    @rule(config=CONFIGS)
    def configure(self, config: OutboxConfig) -> None:
        self.config = config
        self.outbox.configure(config)

    @rule(now_ms=st.sampled_from([0, 10**6]))
    def crash(self, now_ms: int) -> None:
        """What was on disk and not forgotten comes again; memory is gone; so is the old clock."""
        self.now_ms = now_ms
        self.store = Flaky(self.reopen_store(self.store._store))
        self.open()
        assert self.outbox.rows == len(self.known)

    @rule()
    def leave(self) -> None:
        """A clean end keeps everything, and leaves no gap between sequences."""
        self.disk_recovers()
        self.outbox.close(self.now_ms)
        kept = self.known - {row.payload for row in self.on_disk()}
        gone = [row for row in self.outbox._cold_flying.values() if row.gone]
        assert len(kept) == self.outbox.dropped + len(gone)
        numbered = self.numbered
        self.crash(self.now_ms)
        if numbered:
            follows = max(self.sequences) + 1
            assert self.outbox.sequences.next("cam") == follows
            self.sequences.append(follows)

    @invariant()
    def everything_is_accounted_for(self) -> None:
        it = self.outbox
        gone = sum(row.gone for row in it._cold_flying.values())
        assert it.rows + it.dropped + gone == len(self.known)
        kept = [row for row in self.on_disk() if row.id not in it._done]
        memory = [*it._hot, *it._hot_flying.values()]
        stored = {row.id for row in kept}
        fresh = [row for row in memory if row.id not in stored]
        assert it.rows == len(kept) + len(fresh)
        assert it.bytes == sum(len(row.payload) for row in [*kept, *fresh])

    @invariant()
    def sequences_are_never_given_twice(self) -> None:
        assert len(set(self.sequences)) == len(self.sequences)

    @invariant()
    def memory_is_bounded(self) -> None:
        waiting = sum(len(row.payload) for row in self.outbox._hot)
        assert waiting <= STRANDED + 400

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            module.HOT_LIMIT_BYTES, module.STRANDED_LIMIT_BYTES = REAL_BOUNDS

    def settle(self) -> None:
        """With a disk that works again everything arrives but what was counted as dropped."""
        self.disk_recovers()
        if not hasattr(self, "outbox"):
            return
        self.now_ms += 61_000
        self.outbox.tend(self.now_ms)
        before = self.outbox.dropped
        for _ in range(10_000):
            if not self.outbox.rows and not self.flying:
                break
            self.take()
            for row_id, payload in list(self.flying.items()):
                self.outbox.acknowledge(row_id)
                self.known.remove(payload)
                del self.flying[row_id]
        assert self.outbox.rows == self.outbox.bytes == 0
        assert len(self.known) == before == self.outbox.dropped
        self.outbox.close(self.now_ms)
        assert self.on_disk() == []
        self.close_store()

    def close_store(self) -> None:
        return
