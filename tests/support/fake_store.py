"""A disk for the outbox that can be full, or refuse, and that outlives its outbox."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from agent.errors import FullError, StorageError
from agent.outbox.store import Contents, Row


class FakeStore:
    """Keeps what the `Store` protocol says, in plain sight.

    Attributes:
        refuse: called with the method's name before each call; true makes it raise.
        limit_bytes: what rows may take in all.
    """

    def __init__(self, limit_bytes: int = 10**12) -> None:
        self.refuse: Callable[[str], bool] = lambda _: False
        self.limit_bytes = limit_bytes
        self.rows: dict[int, Row] = {}
        self.reserved: dict[str, int] = {}
        self.calls: list[str] = []

    def contents(self) -> Contents:
        self._call("contents")
        size = sum(len(row.payload) for row in self.rows.values())
        last_id = max(self.rows, default=0)
        clock_ms = max((row.at_ms for row in self.rows.values()), default=0)
        return Contents(len(self.rows), size, last_id, clock_ms, dict(self.reserved))

    def append(self, rows: Sequence[Row]) -> None:
        self._call("append")
        held = sum(len(row.payload) for row in self.rows.values())
        if held + sum(len(row.payload) for row in rows) > self.limit_bytes:
            raise FullError("fake: full")
        for row in rows:
            self.rows.setdefault(row.id, replace(row, gone=False))

    def delete(self, ids: Iterable[int]) -> None:
        self._call("delete")
        for row_id in ids:
            self.rows.pop(row_id, None)

    def load(self, after_id: int, limit: int) -> list[Row]:
        self._call("load")
        ids = sorted(row_id for row_id in self.rows if row_id > after_id)[:limit]
        return [replace(self.rows[row_id]) for row_id in ids]

    def evict(self, size_bytes: int, priority: int) -> dict[int, int]:
        self._call("evict")
        gone: dict[int, int] = {}
        for row in sorted(self.rows.values(), key=lambda row: (row.priority, row.id)):
            if row.priority > priority or sum(gone.values()) >= size_bytes:
                break
            gone[row.id] = len(row.payload)
        return self._drop(gone)

    def expire(self, before_ms: int) -> dict[int, int]:
        self._call("expire")
        old = {row.id: len(row.payload) for row in self.rows.values() if row.at_ms < before_ms}
        return self._drop(old)

    def reserve(self, pipeline: str, sequence: int) -> None:
        self._call("reserve")
        self.reserved[pipeline] = sequence

    def _drop(self, gone: dict[int, int]) -> dict[int, int]:
        for row_id in gone:
            del self.rows[row_id]
        return gone

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.refuse(name):
            raise StorageError(f"fake: {name} refused")
