"""The outbox's rows in SQLite, in as few and as small writes as durability allows."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from agent.errors import FullError, StorageError
from agent.outbox.adapters.ballast import Ballast
from agent.outbox.store import Contents, Row

SCHEMA_VERSION = 1
BALLAST_BYTES = 256 * 1024
_SCHEMA = """
CREATE TABLE rows (
    id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, priority INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE sequences (pipeline TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
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
            try:
                self._db = _opened(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._db = _begun_anew(path)
        except sqlite3.Error as error:
            raise StorageError(f"{path}: {error}; make the state folder writable") from None
        except OSError as error:
            raise StorageError(
                f"{path.parent}: {error.strerror}; make the state folder writable"
            ) from None
        self._ballast = Ballast(path.with_suffix(".ballast"), BALLAST_BYTES)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def contents(self) -> Contents:
        """Say what is there."""
        with self._translated():
            return _contents(self._db)

    def append(self, rows: Sequence[Row]) -> None:
        """Make rows durable."""
        values = [(row.id, row.pipeline, row.priority, row.at_ms, row.payload) for row in rows]
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?)", values)

    def delete(self, ids: Iterable[int]) -> None:
        """Forget rows."""
        victims = dict.fromkeys(sorted(ids), 0)
        if len(self._drop(victims)) < len(victims):
            raise FullError(f"{self._path}: no room to forget every row")

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
        with self._translated():
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
        gone = self._drop(victims)
        self._ballast.take()
        return gone

    def expire(self, before_ms: int) -> dict[int, int]:
        """Drop rows that came before a time."""
        with self._translated():
            old = dict(
                self._db.execute(
                    "SELECT id, length(payload) FROM rows WHERE at_ms < ?", (before_ms,)
                )
            )
        return self._drop(old)

    def _drop(self, victims: dict[int, int]) -> dict[int, int]:
        """Delete rows, on a full disk little by little, for the journal has little room there.

        Returns:
            What went; at least one, or the disk's refusal is raised.
        """
        ids = list(victims)
        gone: dict[int, int] = {}
        at_once = len(ids)
        while len(gone) < len(ids):
            part = ids[len(gone) : len(gone) + at_once]
            try:
                self._delete(part)
            except FullError:
                at_once //= 4
                if at_once == 0 and not gone:
                    raise
            except StorageError:
                at_once = 0
                if not gone:
                    raise
            else:
                gone |= {row_id: victims[row_id] for row_id in part}
            if at_once == 0:
                break
        return gone

    def _delete(self, ids: Iterable[int]) -> None:
        with self._transaction():
            self._db.executemany("DELETE FROM rows WHERE id = ?", ((row_id,) for row_id in ids))

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


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
    try:
        db.execute("PRAGMA page_size = 4096")
        db.execute("PRAGMA journal_mode = PERSIST")
        db.execute(f"PRAGMA journal_size_limit = {BALLAST_BYTES}")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -512")
        _set_up(db, path)
        _contents(db)  # damage shows only where it is read
    except BaseException:
        db.close()
        raise
    return db


def _set_up(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
    elif version != SCHEMA_VERSION:
        raise StorageError(
            f"{path}: written by another version of Selvedge ({version});"
            " update Selvedge or move the file away"
        )


def _begun_anew(path: Path) -> sqlite3.Connection:
    """Set a damaged file aside; of it, go on with the sequences if they can still be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as old:
            sequences = old.execute("SELECT pipeline, next FROM sequences").fetchall()
    except sqlite3.Error:
        sequences = []
    for suffix in ("", "-journal", "-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.replace(path.with_suffix(".damaged" + suffix))
    db = _opened(path)
    db.executemany("INSERT INTO sequences VALUES (?, ?)", sequences)
    return db


def _contents(db: sqlite3.Connection) -> Contents:
    rows, size_bytes, last_id, clock_ms = db.execute(
        "SELECT count(*), coalesce(sum(length(payload)), 0), coalesce(max(id), 0),"
        " coalesce(max(at_ms), 0) FROM rows"
    ).fetchone()
    sequences = dict(db.execute("SELECT pipeline, next FROM sequences"))
    return Contents(rows, size_bytes, last_id, clock_ms, sequences)
