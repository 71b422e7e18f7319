"""The outbox: a row leaves it only when the broker has acknowledged it, or a bound is reached.

A young row is in memory alone, so that with a broker at hand nothing is written to the SD card.
A row that is not acknowledged within the commit interval goes to disk, together with all others.
"""

from collections import deque
from collections.abc import Iterable

from agent.config.device import OutboxConfig
from agent.errors import FullError, StorageError
from agent.outbox.sequences import Sequences
from agent.outbox.store import Row, Store

HOT_LIMIT_BYTES = 256 * 1024
"""More than this in memory is committed at once."""

STRANDED_LIMIT_BYTES = 2 * 1024 * 1024
"""What memory may hold while the disk refuses to take more."""

LATE_MS = 1000
"""A result that waited longer than this for the broker says so."""

TIDY_INTERVAL_MS = 60_000
RETRY_MS = 1000
"""The shortest time between two attempts on a disk that refuses."""
RETRY_MOST_MS = 5000

FORGET_AT = 4096
"""So many acknowledged rows are deleted in one write."""

EVICT_SHARE = 16
"""When the outbox is full, a sixteenth of it goes at once, so that eviction stays rare."""

TOP_PRIORITY = 9


class Outbox:
    """Rows between the pipelines and the broker.

    A row is in `_hot` (memory only), `_hot_flying` (memory only, on its way), on disk, in
    `_waiting` (on disk, and read back), or in `_cold_flying` (on disk, on its way).
    """

    def __init__(self, store: Store, config: OutboxConfig, now_ms: int) -> None:
        contents = store.contents()
        self._store = store
        self._config = config
        self._opened_ms = now_ms - contents.clock_ms
        self._last_id = self._last_run_id = contents.last_id
        self._cursor = 0
        self._more_on_disk = contents.rows > 0
        self._disk_rows = contents.rows
        self._disk_bytes = contents.bytes
        self._hot: deque[Row] = deque()
        self._hot_flying: dict[int, Row] = {}
        self._hot_bytes = 0
        self._waiting: deque[Row] = deque()
        self._cold_flying: dict[int, Row] = {}
        self._done: set[int] = set()
        self._tidy_due_ms = now_ms + TIDY_INTERVAL_MS
        self._retry_ms = 0
        self.sequences = Sequences(store, contents.sequences)
        self.dropped = 0
        self.healthy = True

    def configure(self, config: OutboxConfig) -> None:
        """Take over new bounds; they hold from the next commit on."""
        self._config = config

    def put(self, pipeline: str, payload: bytes, priority: int, now_ms: int) -> None:
        """Take in a result."""
        self._last_id += 1
        self._hot.append(Row(self._last_id, pipeline, priority, self._clock(now_ms), payload))
        self._hot_bytes += len(payload)
        much = self._hot_bytes > STRANDED_LIMIT_BYTES
        if (much or self._config.commit_interval_ms == 0) and now_ms >= self._retry_ms:
            self.commit(now_ms)
        elif much:
            self._keep_within_memory()

    def take(self, now_ms: int) -> list[Row]:
        """Return the rows to be published now; half of the window is kept for live ones."""
        room = self._config.window - len(self._hot_flying) - len(self._cold_flying)
        if room <= 0:
            return []
        while self._more_on_disk and len(self._waiting) < room and now_ms >= self._retry_ms:
            self._read_back(now_ms)
        live = list(_pull(self._hot, room if not self._waiting else (room + 1) // 2))
        cold = list(_pull(self._waiting, room - len(live)))
        self._hot_flying.update((row.id, row) for row in live)
        self._cold_flying.update((row.id, row) for row in cold)
        return live + cold

    def late(self, row: Row, now_ms: int) -> bool:
        """Tell whether a row waited for the broker, in this run of the agent or an earlier one."""
        return row.id <= self._last_run_id or self._clock(now_ms) - row.at_ms > LATE_MS

    def acknowledge(self, row_id: int) -> None:
        """The broker has this row; an unknown id does no harm."""
        if row := self._hot_flying.pop(row_id, None):
            self._hot_bytes -= len(row.payload)
        elif (row := self._cold_flying.pop(row_id, None)) and not row.gone:
            self._done.add(row_id)
            self._disk_rows -= 1
            self._disk_bytes -= len(row.payload)

    def due_ms(self) -> int:
        """When `tend` has something to do."""
        commit_ms = self._commit_due_ms()
        return self._tidy_due_ms if commit_ms is None else min(self._tidy_due_ms, commit_ms)

    def tend(self, now_ms: int) -> None:
        """Commit what is old or large, forget what is acknowledged, and keep the bounds."""
        if now_ms >= self._tidy_due_ms:
            self._tidy(now_ms)
        commit_ms = self._commit_due_ms()
        large = self._hot_bytes > HOT_LIMIT_BYTES and self.healthy
        if large or (commit_ms is not None and now_ms >= commit_ms):
            self.commit(now_ms)
        elif len(self._done) >= FORGET_AT and self.healthy:
            self._forget(now_ms)

    def _commit_due_ms(self) -> int | None:
        if not self.healthy:
            return self._retry_ms
        oldest = self._oldest_hot()
        if oldest is None:
            return None
        return oldest.at_ms + self._opened_ms + self._config.commit_interval_ms

    def commit(self, now_ms: int) -> None:
        """Put every row that is only in memory on disk; where that fails, keep within memory."""
        self.healthy, self._retry_ms = True, 0
        self._forget(now_ms)
        fresh = [*self._hot_flying.values(), *self._hot]
        try:
            if fresh:
                self._append(fresh)
                self._cool(fresh)
            self._keep_within_disk()
        except StorageError:
            self._suffer(now_ms)
            self._keep_within_memory()

    def close(self, now_ms: int) -> None:
        """Commit everything, and give back the sequences that were reserved but not used."""
        self.commit(now_ms)
        try:
            self.sequences.give_back()
        except StorageError:
            self.healthy = False

    @property
    def rows(self) -> int:
        """How many results wait for an acknowledgement."""
        return self._disk_rows + len(self._hot) + len(self._hot_flying)

    @property
    def bytes(self) -> int:
        """How many bytes they have."""
        return self._disk_bytes + self._hot_bytes

    def _clock(self, now_ms: int) -> int:
        return now_ms - self._opened_ms

    def _suffer(self, now_ms: int) -> None:
        self.healthy = False
        wanted_ms = min(self._config.commit_interval_ms, RETRY_MOST_MS)
        self._retry_ms = now_ms + max(wanted_ms, RETRY_MS)

    def _oldest_hot(self) -> Row | None:
        for row in self._hot_flying.values():
            return row
        return self._hot[0] if self._hot else None

    def _read_back(self, now_ms: int) -> None:
        try:
            rows = self._store.load(self._cursor, self._config.window)
        except StorageError:
            self._suffer(now_ms)
            return
        self._more_on_disk = len(rows) == self._config.window
        if rows:
            self._cursor = rows[-1].id
        known = self._cold_flying.keys() | self._done
        self._waiting.extend(row for row in rows if row.id not in known)

    def _append(self, fresh: list[Row]) -> None:
        highest = max(row.priority for row in fresh)
        while True:
            try:
                self._store.append(fresh)
            except FullError:
                # rows that went leave gaps, not whole pages; it can take more than their size
                share_bytes = max(self._hot_bytes, self._disk_bytes // EVICT_SHARE)
                if not self._evict(share_bytes, highest):
                    raise
            else:
                return

    def _cool(self, fresh: list[Row]) -> None:
        self._disk_rows += len(fresh)
        self._disk_bytes += self._hot_bytes
        if self._more_on_disk or len(self._waiting) + len(self._hot) > self._config.window:
            self._more_on_disk = True
        else:
            self._waiting.extend(self._hot)
            self._cursor = fresh[-1].id
        self._cold_flying.update(self._hot_flying)
        self._hot.clear()
        self._hot_flying.clear()
        self._hot_bytes = 0

    def _keep_within_disk(self) -> None:
        excess_bytes = self._disk_bytes - self._config.limit_bytes
        if excess_bytes > 0:
            self._evict(excess_bytes + self._config.limit_bytes // EVICT_SHARE, TOP_PRIORITY)

    def _keep_within_memory(self) -> None:
        while self._hot_bytes > STRANDED_LIMIT_BYTES and self._hot:
            lowest = min(row.priority for row in self._hot)
            share = len(self._hot) // EVICT_SHARE + 1
            gone = {row.id for row in _first(self._hot, share, lowest)}
            self._hot_bytes -= sum(len(row.payload) for row in self._hot if row.id in gone)
            self._hot = deque(row for row in self._hot if row.id not in gone)
            self.dropped += len(gone)

    def _tidy(self, now_ms: int) -> None:
        self._tidy_due_ms = now_ms + TIDY_INTERVAL_MS
        self._forget(now_ms)
        try:
            self._lose(self._store.expire(self._clock(now_ms) - self._config.max_age_s * 1000))
        except StorageError:
            self._suffer(now_ms)

    def _forget(self, now_ms: int) -> None:
        if self._done:
            try:
                self._store.delete(self._done)
            except StorageError:
                self._suffer(now_ms)
                return
            self._done = set()

    def _evict(self, size_bytes: int, priority: int) -> bool:
        lost = self._store.evict(size_bytes, priority)
        self._lose(lost)
        return bool(lost)

    def _lose(self, lost: dict[int, int]) -> None:
        counted = {row_id: size for row_id, size in lost.items() if row_id not in self._done}
        self._disk_rows -= len(counted)
        self._disk_bytes -= sum(counted.values())
        flying = lost.keys() & self._cold_flying.keys()
        self.dropped += len(counted) - len(flying)  # those can still arrive
        self._waiting = deque(row for row in self._waiting if row.id not in lost)
        for row_id in flying:
            self._cold_flying[row_id].gone = True


def _pull(rows: deque[Row], most: int) -> Iterable[Row]:
    while rows and most > 0:
        most -= 1
        yield rows.popleft()


def _first(rows: Iterable[Row], count: int, priority: int) -> Iterable[Row]:
    for row in rows:
        if count <= 0:
            return
        if row.priority == priority:
            count -= 1
            yield row
