"""Samples in SQLite, where what is deleted is overwritten."""

import contextlib
import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.config.samples import SamplesConfig
from agent.errors import SampleError, StorageError
from agent.learning.samples.retention import Held, victims
from agent.learning.samples.sample import Example, Label, Sample, check_example

SCHEMA_VERSION = 1
SAMPLES_FILE = "samples.sqlite3"
BUSY_S = 2.0
"""So long another process may hold the file; the agent's main process waits as long at most."""

UNKNOWN_MS = 0
_SCHEMA = """
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, origin TEXT NOT NULL, label TEXT NOT NULL,
    targets BLOB, at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL,
    dtype TEXT NOT NULL, scale REAL NOT NULL, zero_point INTEGER NOT NULL, data BLOB NOT NULL,
    UNIQUE (pipeline, origin)
);
CREATE INDEX by_label ON samples (pipeline, label, id, bytes);
"""
_INSERT = """INSERT OR REPLACE INTO samples
 (pipeline, origin, label, targets, at_ms, bytes, dtype, scale, zero_point, data)
 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class SqliteSamples:
    """See `SampleStore`; the file is opened when it is first needed.

    `secure_delete` writes zeros over what goes. A write-ahead log and not a rollback journal: a
    journal would copy the very pages that are to vanish. Emptying the log ends what it had copied.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was ever kept."""
        return self._db is not None or self._path.exists()

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def put(
        self, pipeline: str, samples: Sequence[Sample], bounds: SamplesConfig, at_ms: int | None
    ) -> None:
        """Make samples durable, and let go what is beyond the bounds."""
        rows = [_row(pipeline, sample, bounds, at_ms or UNKNOWN_MS) for sample in samples]
        with self._transaction() as db:
            db.executemany(_INSERT, rows)
            held = db.execute(
                "SELECT id, label, bytes FROM samples WHERE pipeline = ?", (pipeline,)
            )
            _delete(db, victims(map(Held._make, held), bounds.limit_bytes, bounds.per_label))

    def forget(self, pipeline: str, label: str | None = None) -> int:
        """Delete a pipeline's samples, or those of one label."""
        if not self.exists:
            return 0
        with self._transaction() as db:
            gone = db.execute(
                "DELETE FROM samples WHERE pipeline = ? AND (?2 IS NULL OR label = ?2)",
                (pipeline, label),
            ).rowcount
        self._empty_log()  # also where none is left: an earlier attempt may have stopped here
        return gone

    def expire(self, max_age_s: Mapping[str, int], otherwise_s: int, now_ms: int) -> int:
        """Delete what is too old."""
        if not self.exists:
            return 0
        with self._transaction() as db:
            db.execute("UPDATE samples SET at_ms = ? WHERE at_ms = ?", (now_ms, UNKNOWN_MS))
            old = [
                row_id
                for row_id, pipeline, at_ms in db.execute("SELECT id, pipeline, at_ms FROM samples")
                if now_ms - at_ms > 1000 * max_age_s.get(pipeline, otherwise_s)
            ]
            _delete(db, old)
        if old:
            self._empty_log()
        return len(old)

    def pipelines(self) -> list[str]:
        """Every pipeline that has samples."""
        if not self.exists:
            return []
        with self._translated() as db:
            return [name for (name,) in db.execute("SELECT DISTINCT pipeline FROM samples")]

    def counts(self, pipeline: str) -> dict[str, int]:
        """How many samples each label has."""
        if not self.exists:
            return {}
        with self._translated() as db:
            return dict(
                db.execute(
                    "SELECT label, count(*) FROM samples WHERE pipeline = ? GROUP BY label",
                    (pipeline,),
                )
            )

    def labels(self, pipeline: str) -> list[tuple[str, Label]]:
        """Origin and label of every sample of a pipeline."""
        if not self.exists:
            return []
        with self._translated() as db:
            rows = db.execute(
                "SELECT origin, label, targets FROM samples WHERE pipeline = ?", (pipeline,)
            ).fetchall()
        return [(origin, _label(label, targets)) for origin, label, targets in rows]

    def load(self, pipeline: str) -> list[Sample]:
        """Every sample of a pipeline."""
        if not self.exists:
            return []
        with self._translated() as db:
            rows = db.execute(
                "SELECT origin, label, targets, data, dtype, scale, zero_point FROM samples"
                " WHERE pipeline = ? ORDER BY id",
                (pipeline,),
            ).fetchall()
        return [
            Sample(origin, _label(label, targets), Example(*rest))
            for origin, label, targets, *rest in rows
        ]

    def _empty_log(self) -> None:
        with self._translated() as db:
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StorageError(
                f"{self._path}: deleted, but another process still reads it; forget once more"
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._translated() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._db is None:
                self._db = _opened(self._path)
            yield self._db
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: {error}") from None
        except OSError as error:
            raise StorageError(f"{self._path}: {error.strerror}") from None


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        _create(path)
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
    try:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -512")
        db.execute("PRAGMA temp_store = MEMORY")
        _set_up(db, path)
        # An agent that was killed may have left a log with what it had deleted.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _create(path: Path) -> None:
    """Make the file the folder's owner's, also by root's hand; SQLite treats its log alike."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def _set_up(db: sqlite3.Connection, path: Path) -> None:
    db.execute("BEGIN IMMEDIATE")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in _SCHEMA.split(";")[:-1]:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    elif version != SCHEMA_VERSION:
        raise StorageError(
            f"{path}: written by another version of Selvedge ({version});"
            " update Selvedge or move the file away"
        )
    db.execute("COMMIT")


def _row(pipeline: str, sample: Sample, bounds: SamplesConfig, at_ms: int) -> tuple[object, ...]:
    example = sample.example
    check_example(example)
    is_class = isinstance(sample.label, str)
    targets = None if is_class else array("f", sample.label).tobytes()
    size_bytes = len(example.data) + len(targets or b"")
    if size_bytes > bounds.limit_bytes:
        raise SampleError(
            f"a sample of {size_bytes} bytes exceeds limit_bytes of {bounds.limit_bytes}; raise it"
        )
    label = sample.label if is_class else ""
    place = (pipeline, sample.origin, label, targets, at_ms, size_bytes)
    return (*place, example.dtype, example.scale, example.zero_point, example.data)


def _label(name: str, targets: bytes | None) -> Label:
    return name if targets is None else tuple(array("f", targets))


def _delete(db: sqlite3.Connection, ids: Iterable[int]) -> None:
    db.executemany("DELETE FROM samples WHERE id = ?", ((row_id,) for row_id in ids))
