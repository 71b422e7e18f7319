"""The outbox's rows in SQLite, in as few and as small writes as durability allows."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.errors import FullError, StorageError
from agent.outbox.adapters.ballast import Ballast
from agent.outbox.store import Contents, Row

SCHEMA_VERSION = 1
BALLAST_BYTES = 256 * 1024
EVICT_SLICE_BYTES = 64 * 1024
"""Evicted at a time, so that the journal of one slice fits into the ballast on a full disk."""

DELETE_SLICE_ROWS = 128

_SCHEMA = """
CREATE TABLE rows (
    id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, priority INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE sequences (pipeline TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE clock (at_ms INTEGER NOT NULL, last_id INTEGER NOT NULL);
INSERT INTO clock VALUES (0, 0);
"""


class SqliteStore:
    """One SQLite file; every commit is synced, so batches are what saves the card.

    A rollback journal, not a write-ahead log: rows that are appended are then written once, and a
    full disk needs no room for them to exist twice. The journal stays, so its space stays ours.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the store.

        Raises:
            StorageError: the folder cannot be written, or the file is not an outbox of ours; a
                file that SQLite finds damaged is set aside and a new one begun.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._opened(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise StorageError(f"{path}: {error}; make the state folder writable") from None
            path.replace(path.with_suffix(".damaged"))
            self._db = self._opened(path)
        except OSError as error:
            raise StorageError(
                f"{path.parent}: {error.strerror}; make the state folder writable"
            ) from None
        self._ballast = Ballast(path.with_suffix(".ballast"), BALLAST_BYTES)

    @staticmethod
    def _opened(path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
        db.execute("PRAGMA page_size = 4096")
        db.execute("PRAGMA journal_mode = PERSIST")
        db.execute(f"PRAGMA journal_size_limit = {BALLAST_BYTES}")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -512")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        elif version != SCHEMA_VERSION:
            raise StorageError(
                f"{path}: written by another version of Selvedge ({version});"
                " update Selvedge or move the file away"
            )
        return db

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def contents(self) -> Contents:
        """Say what is there."""
        with self._translated():
            rows, size_bytes, last_id = self._db.execute(
                "SELECT count(*), coalesce(sum(length(payload)), 0), coalesce(max(id), 0) FROM rows"
            ).fetchone()
            clock_ms, last_known_id = self._db.execute(
                "SELECT at_ms, last_id FROM clock"
            ).fetchone()
            sequences = dict(self._db.execute("SELECT pipeline, next FROM sequences"))
        return Contents(rows, size_bytes, max(last_id, last_known_id), clock_ms, sequences)

    def append(self, rows: Sequence[Row], clock_ms: int) -> None:
        """Make rows durable."""
        values = [(row.id, row.pipeline, row.priority, row.at_ms, row.payload) for row in rows]
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?)", values)
            self._db.execute(
                "UPDATE clock SET at_ms = ?, last_id = ?", (clock_ms, max(row.id for row in rows))
            )

    def delete(self, ids: Iterable[int]) -> None:
        """Forget rows; on a full disk little by little, for the journal has little room."""
        victims = sorted(ids)
        try:
            self._delete(victims)
        except StorageError:
            for first in range(0, len(victims), DELETE_SLICE_ROWS):
                self._delete(victims[first : first + DELETE_SLICE_ROWS])

    def _delete(self, ids: Iterable[int]) -> None:
        with self._transaction():
            self._db.executemany("DELETE FROM rows WHERE id = ?", ((row_id,) for row_id in ids))

    def load(self, after_id: int, limit: int) -> list[Row]:
        """Return the oldest rows above `after_id`."""
        with self._translated():
            found = self._db.execute(
                "SELECT id, pipeline, priority, at_ms, payload FROM rows"
                " WHERE id > ? ORDER BY id LIMIT ?",
                (after_id, limit),
            ).fetchall()
        return [Row(*values) for values in found]

    def evict(self, size_bytes: int, priority: int) -> dict[int, int]:
        """Drop the oldest rows of the lowest priority, none above `priority`."""
        victims: dict[int, int] = {}
        freed_bytes = 0
        while freed_bytes < size_bytes:
            slice_bytes = min(EVICT_SLICE_BYTES, size_bytes - freed_bytes)
            try:
                gone = self._evict_slice(slice_bytes, priority)
            except StorageError:
                if not victims:
                    raise
                break
            if not gone:
                break
            victims |= gone
            freed_bytes += sum(gone.values())
        self._ballast.take()
        return victims

    def _evict_slice(self, size_bytes: int, priority: int) -> dict[int, int]:
        victims: dict[int, int] = {}
        freed_bytes = 0
        with self._transaction():
            candidates = self._db.execute(
                "SELECT id, length(payload) FROM rows WHERE priority <= ? ORDER BY priority, id",
                (priority,),
            )
            for row_id, length in candidates:
                if freed_bytes >= size_bytes:
                    break
                victims[row_id] = length
                freed_bytes += length
            candidates.close()
            self._db.executemany("DELETE FROM rows WHERE id = ?", ((row,) for row in victims))
        return victims

    def expire(self, before_ms: int) -> dict[int, int]:
        """Drop rows that came before a time."""
        with self._translated():
            old = self._db.execute(
                "SELECT id, length(payload) FROM rows WHERE at_ms < ?", (before_ms,)
            ).fetchall()
        gone: dict[int, int] = {}
        for first in range(0, len(old), DELETE_SLICE_ROWS):
            part = dict(old[first : first + DELETE_SLICE_ROWS])
            try:
                self._delete(part)
            except StorageError:
                if not gone:
                    raise
                break
            gone |= part
        return gone

    def reserve(self, pipeline: str, sequence: int) -> None:
        """Note how far sequences may have been given out."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO sequences VALUES (?, ?)"
                " ON CONFLICT (pipeline) DO UPDATE SET next = excluded.next",
                (pipeline, sequence),
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                self._ballast.give_up()
                raise FullError(f"{self._path}: {error}") from None
            raise StorageError(f"{self._path}: {error}") from None
