"""One job in one SQLite file.

A write-ahead log with full syncs: what was committed survives a power cut, and a commit is one
write. The file's lock is kept, so a second aggregator on the same state is refused.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from broker.aggregator.store import Checkpoint, Judgement, Verdict
from broker.contract.blobs import BlobRef
from broker.errors import ConfigError

SCHEMA_VERSION = 2
PART_BYTES = 2**16
_SCHEMA = """
CREATE TABLE journal (id INTEGER PRIMARY KEY, line BLOB NOT NULL);
CREATE TABLE vectors (name TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE slices (
    device TEXT NOT NULL, number INTEGER NOT NULL, examples INTEGER NOT NULL, data BLOB NOT NULL,
    UNIQUE (device, number)
);
CREATE TABLE verdicts (
    device TEXT PRIMARY KEY, examples INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
    before REAL, after REAL, whole INTEGER NOT NULL, refused TEXT, folded INTEGER NOT NULL
);
CREATE TABLE sums (id INTEGER PRIMARY KEY CHECK (id = 0), fixed BLOB NOT NULL, weight INTEGER);
CREATE TABLE judgements (
    device TEXT PRIMARY KEY, examples INTEGER NOT NULL, loss REAL NOT NULL, correct INTEGER NOT NULL
);
"""
_SINCE = {
    2: """
ALTER TABLE judgements ADD COLUMN baseline_loss REAL;
ALTER TABLE judgements ADD COLUMN baseline_correct INTEGER;
CREATE TABLE files (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL)
""",
}
"""What each version of the schema has beyond the one before."""
NEXT_ROUND = (
    "DELETE FROM slices",
    "DELETE FROM verdicts",
    "DELETE FROM sums",
    "DELETE FROM judgements",
)


class SqliteStore:
    """See `Store`."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file; None: in memory, for simulations.

        Raises:
            ConfigError: the folder cannot be written, the file is not ours, or is in use.
        """
        self._path = path
        with self._translated():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=1)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA cache_size = -4096")
            self._db.execute("BEGIN EXCLUSIVE")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise ConfigError(f"{path}: was written by a newer version; move it away")
            steps = [] if version else [_SCHEMA]
            steps += [text for since, text in _SINCE.items() if since > version]
            for statement in ";".join(steps).split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        self._db.close()

    def commit(self) -> None:
        """Commit."""
        with self._translated():
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def append(self, line: bytes) -> None:
        """Add a line."""
        self._write("INSERT INTO journal (line) VALUES (?)", line)

    def journal(self) -> list[bytes]:
        """All lines."""
        return [line for (line,) in self._read("SELECT line FROM journal ORDER BY id")]

    def put_vector(self, name: str, data: bytes) -> None:
        """Keep a vector."""
        text = "INSERT OR REPLACE INTO vectors VALUES (?, zeroblob(?))"
        self._fill("vectors", "data", self._write(text, name, len(data)), memoryview(data))

    def vectors(self) -> dict[str, bytes]:
        """All vectors."""
        return dict(self._read("SELECT name, data FROM vectors"))

    def put_file(self, data: bytes) -> None:
        """Keep a blob."""
        text = "INSERT OR REPLACE INTO files VALUES (?, zeroblob(?))"
        row = self._write(text, sha256(data).hexdigest(), len(data))
        self._fill("files", "data", row, memoryview(data))

    def file(self, ref: BlobRef) -> bytes | None:
        """A blob."""
        text = "SELECT data FROM files WHERE sha256 = ?"
        return next((data for (data,) in self._read(text, ref.sha256)), None)

    def has_file(self, ref: BlobRef) -> bool:
        """Whether there is a blob."""
        return bool(self._read("SELECT 1 FROM files WHERE sha256 = ?", ref.sha256))

    def put_slice(self, device: str, number: int, examples: int, data: bytes) -> None:
        """Keep a slice."""
        self._write("INSERT INTO slices VALUES (?, ?, ?, ?)", device, number, examples, data)

    def slice_data(self, device: str, number: int) -> bytes:
        """One slice."""
        text = "SELECT data FROM slices WHERE device = ? AND number = ?"
        data: bytes = next(iter(self._read(text, device, number)))[0]
        return data

    def held(self) -> Iterator[tuple[str, int, int, int]]:
        """Every slice, without its bytes."""
        yield from self._read("SELECT device, number, examples, length(data) FROM slices")

    def put_verdict(self, verdict: Verdict) -> None:
        """Keep a verdict."""
        before, after = verdict.losses or (None, None)
        self._write(
            "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(verdict.device, verdict.examples, verdict.size_bytes, before, after),
            *(verdict.whole, verdict.refused, verdict.folded),
        )
        if verdict.refused is not None:
            self._write("DELETE FROM slices WHERE device = ?", verdict.device)

    def verdicts(self) -> list[Verdict]:
        """All verdicts, by the name of the device."""
        return [
            Verdict(
                device,
                examples,
                size_bytes,
                None if before is None else (before, after),
                bool(whole),
                refused,
                bool(folded),
            )
            for device, examples, size_bytes, before, after, whole, refused, folded in self._read(
                "SELECT * FROM verdicts ORDER BY device"
            )
        ]

    def put_checkpoint(self, checkpoint: Checkpoint, folded: Iterable[str]) -> None:
        """Keep sums."""
        fixed = memoryview(checkpoint.fixed).cast("B")
        text = "INSERT OR REPLACE INTO sums VALUES (0, zeroblob(?), ?)"
        self._fill("sums", "fixed", self._write(text, fixed.nbytes, checkpoint.weight), fixed)
        for device in folded:
            self._write("UPDATE verdicts SET folded = 1 WHERE device = ?", device)
            self._write("DELETE FROM slices WHERE device = ?", device)

    def checkpoint(self) -> Checkpoint | None:
        """The sums."""
        return next(
            (Checkpoint(*row) for row in self._read("SELECT fixed, weight FROM sums")), None
        )

    def put_judgement(self, device: str, judgement: Judgement) -> None:
        """Keep a judgement."""
        text = "INSERT OR IGNORE INTO judgements VALUES (?, ?, ?, ?, ?, ?)"
        self._write(text, device, *judgement)

    def judgements(self) -> dict[str, Judgement]:
        """All judgements."""
        rows = self._read("SELECT * FROM judgements ORDER BY device")
        return {device: Judgement(*judgement) for device, *judgement in rows}

    def next_round(self) -> None:
        """Drop what concerns a round."""
        for statement in NEXT_ROUND:
            self._write(statement)

    def _write(self, statement: str, *values: object) -> int:
        with self._translated():
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            return self._db.execute(statement, values).lastrowid or 0

    def _fill(self, table: str, column: str, row: int, data: memoryview) -> None:
        """Write a long value in place: a bound one would stay in memory with its statement."""
        with self._translated(), self._db.blobopen(table, column, row) as blob:
            for at in range(0, data.nbytes, PART_BYTES):
                blob.write(data[at : at + PART_BYTES])

    def _read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._translated():
            return self._db.execute(statement, values).fetchall()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"{self._path}: {error}; is the folder writable, has the disk room, "
                "and does no other aggregator use it?"
            ) from None
