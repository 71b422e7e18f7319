"""The outbox on SQLite: the same model, and disks that are full, read-only, damaged or cut off."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from agent.config.device import OutboxConfig
from agent.errors import FullError, StorageError
from agent.outbox.adapters.sqlite_store import SqliteStore
from agent.outbox.outbox import Outbox
from agent.outbox.store import Contents, Row
from tests.support.outbox_model import OutboxModel

ROOT = Path(__file__).parents[2]


class OutboxOnSqlite(OutboxModel):
    """A crash is a second connection while the first is simply abandoned."""

    def make_store(self) -> SqliteStore:
        self.folder = tempfile.TemporaryDirectory()
        return SqliteStore(Path(self.folder.name) / "outbox.sqlite3")

    def reopen_store(self, store: Any) -> SqliteStore:
        store._db.close()
        return SqliteStore(store._path)

    def close_store(self) -> None:
        self.store._store.close()
        self.folder.cleanup()


TestOutboxOnSqlite = OutboxOnSqlite.TestCase
TestOutboxOnSqlite.settings = settings(
    max_examples=15, stateful_step_count=40, deadline=None, print_blob=True
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    it = SqliteStore(tmp_path / "outbox.sqlite3")
    yield it
    it.close()


def rows(*ids: int, size: int = 10, priority: int = 5, at_ms: int = 0) -> list[Row]:
    return [Row(i, "cam", priority, at_ms, b"x" * size) for i in ids]


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "deep" / "er" / "outbox.sqlite3")
    store.append(rows(1, 2, 3, at_ms=77))
    store.reserve("cam", 4096)
    store.delete([2])
    store.close()
    store = SqliteStore(tmp_path / "deep" / "er" / "outbox.sqlite3")
    assert store.load(0, 9) == rows(1, 3, at_ms=77)
    contents = store.contents()
    assert (contents.rows, contents.bytes, contents.last_id) == (2, 20, 3)
    assert (contents.clock_ms, contents.sequences) == (77, {"cam": 4096})
    store.delete([1, 3, 99])
    assert store.contents() == Contents(0, 0, 0, 0, {"cam": 4096})
    store.close()


def test_rows_are_loaded_in_order_and_in_parts(store: SqliteStore) -> None:
    store.append(rows(*range(1, 100)))
    assert [row.id for row in store.load(0, 10)] == list(range(1, 11))
    assert [row.id for row in store.load(95, 10)] == [96, 97, 98, 99]
    assert store.load(99, 10) == []


def test_eviction_takes_the_lowest_priority_and_of_it_the_oldest(store: SqliteStore) -> None:
    store.append([*rows(1, 2), *rows(3, 4, priority=1), *rows(5, priority=9), *rows(6)])
    assert store.evict(25, 9) == {3: 10, 4: 10, 1: 10}
    assert store.evict(10**9, 5) == {2: 10, 6: 10}
    assert [row.id for row in store.load(0, 9)] == [5]


def test_expiry_takes_what_came_before_a_time(store: SqliteStore) -> None:
    store.append([*rows(1, 2, at_ms=10), *rows(3, at_ms=20)])
    assert store.expire(10) == {}
    assert store.expire(20) == {1: 10, 2: 10}


class Refusing:
    """A connection that refuses some statements."""

    def __init__(self, db: sqlite3.Connection, refuse: Callable[[str, Any], bool]) -> None:
        self._db = db
        self._refuse = refuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def execute(self, statement: str, *arguments: Any) -> Any:
        if self._refuse(statement, arguments):
            raise disk_full()
        return self._db.execute(statement, *arguments)

    def executemany(self, statement: str, arguments: Any) -> Any:
        arguments = list(arguments)
        if self._refuse(statement, arguments):
            raise disk_full()
        return self._db.executemany(statement, arguments)


def disk_full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def test_where_there_is_little_room_rows_are_dropped_little_by_little(store: SqliteStore) -> None:
    db = store._db
    store._db = Refusing(db, lambda words, rows: words.startswith("DELETE") and len(rows) > 7)
    store.append(rows(*range(1, 1000), size=1000))
    assert len(store.evict(300_000, 9)) == 300
    assert len(store.expire(10**9)) == 699
    store.append(rows(*range(1, 100)))
    store.delete(range(1, 100))
    assert store.load(0, 9) == []
    store._db = db


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_what_is_cut_off_half_way_says_what_went(store: SqliteStore, parts: int) -> None:
    db, begun = store._db, 0

    def refuse(words: str, rows: Any) -> bool:
        nonlocal begun
        if words.startswith("DELETE"):
            begun += len(rows) <= 50
            return begun > parts or len(rows) > 50
        return False

    for drop in (lambda: store.evict(10**9, 9), lambda: store.expire(10**9)):
        store.append(rows(*range(1, 1000), size=100))
        before = {row.id for row in store.load(0, 9999)}
        begun, gone = 0, {}
        store._db = Refusing(db, refuse)
        with nullcontext() if parts else pytest.raises(FullError):
            gone = drop()
        store._db = db
        after = {row.id for row in store.load(0, 9999)}
        assert before - after == set(gone)
        assert bool(gone) == bool(parts)
        assert after, "the refusal came half way"
        assert not db.in_transaction


def test_a_batch_is_written_wholly_or_not_at_all(store: SqliteStore) -> None:
    db = store._db
    store._db = Refusing(db, lambda words, _: words.startswith("COMMIT"))
    with pytest.raises(FullError):
        store.append(rows(1, 2))
    store._db = db
    assert store.load(0, 9) == []
    assert not db.in_transaction


FULL_KIB = 768


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, so small that it fills up; root alone can make one."""
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={FULL_KIB}k", "tmpfs", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a file system of its own: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def occupy(path: Path) -> None:
    """Take all that is left of a file system."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"h" * 4096)


def config(**more: Any) -> OutboxConfig:
    return OutboxConfig(commit_interval_ms=1000, window=50, **more)


def test_a_full_disk_costs_the_oldest_unimportant_results_and_they_are_counted(
    small_disk: Path,
) -> None:
    store = SqliteStore(small_disk / "outbox.sqlite3")
    outbox = Outbox(store, config(limit_bytes=2**30), 0)
    put, sizes = 0, {}
    for second in range(200):
        for _ in range(10):
            put += 1
            priority = 9 if put % 10 == 0 else put % 3
            payload = f"{put}:{priority}:".encode().ljust(700)
            outbox.put("cam", payload, priority, second * 1000)
            sizes[put] = priority
        outbox.tend(second * 1000)
    outbox.commit(10**6)
    kept = [row.payload for row in store.load(0, 10**6)]
    numbers = {int(payload.split(b":")[0]) for payload in kept}
    assert outbox.healthy, "it makes room and goes on"
    assert outbox.dropped + outbox.rows == put
    assert outbox.rows == len(kept) > FULL_KIB // 2
    lost_important = [n for n, priority in sizes.items() if priority == 9 and n not in numbers]
    assert lost_important == []
    assert max(numbers) == put or sizes[put] == 0
    store.close()
    assert SqliteStore(small_disk / "outbox.sqlite3").contents().rows == len(kept)


def test_a_disk_that_others_filled_takes_results_again_when_there_is_room(
    small_disk: Path,
) -> None:
    store = SqliteStore(small_disk / "outbox.sqlite3")
    outbox = Outbox(store, config(), 0)
    for _ in range(100):
        outbox.put("cam", b"x" * 500, 5, 0)
    outbox.commit(0)
    hog = small_disk / "hog"
    occupy(hog)
    for second in range(1, 120):
        for _ in range(10):
            outbox.put("cam", b"y" * 500, 5, second * 1000)
        outbox.tend(second * 1000)
    assert outbox.dropped + outbox.rows == 100 + 10 * 119
    hog.unlink()
    outbox.put("cam", b"z" * 500, 5, 500_000)
    outbox.commit(500_000)
    assert outbox.healthy
    assert store.load(0, 10**6)[-1].payload.startswith(b"z")
    assert outbox.dropped + outbox.rows == 100 + 10 * 119 + 1
    store.close()


def test_a_full_file_is_a_full_error_and_changes_nothing(store: SqliteStore) -> None:
    store.append(rows(1))
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(FullError):
        store.append(rows(*range(2, 99), size=1000))
    assert store.load(0, 999) == rows(1)
    assert not store._db.in_transaction


READ_ONLY = """
import os, sys
from pathlib import Path
from agent.errors import StorageError
from agent.outbox.adapters.sqlite_store import SqliteStore
if os.geteuid() == 0:
    os.setuid(65534)
try:
    SqliteStore(Path(sys.argv[1]) / "outbox.sqlite3")
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize("content", [None, b"", b"not a database at all" * 100])
def test_a_read_only_folder_is_one_line(content: bytes | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if content is not None:
            (folder / "outbox.sqlite3").write_bytes(content)
            (folder / "outbox.sqlite3").chmod(0o444)
        folder.chmod(0o555)
        said = subprocess.run(
            [sys.executable, "-c", READ_ONLY, name],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        folder.chmod(0o755)
    assert said.stderr == ""
    assert len(said.stdout.splitlines()) == 1
    assert "make the state folder writable" in said.stdout
    assert name in said.stdout


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="make the state folder writable"):
        SqliteStore(tmp_path / "file" / "outbox.sqlite3")


def damaged(path: Path, how: str) -> None:
    store = SqliteStore(path)
    store.append(rows(*range(1, 200), size=500))
    store.close()
    data = bytearray(path.read_bytes())
    if how == "header":
        data[:100] = b"garbage " * 12 + b"!!!!"
    elif how == "rows":
        data[4096 * 6 : -4096 * 2] = os.urandom(len(data) - 4096 * 8)
    elif how == "middle":
        data[4096 * 2 : -4096] = os.urandom(len(data) - 4096 * 3)
    elif how == "text":
        data = bytearray(b"this is no database\n" * 500)
    else:
        data = data[: len(data) // 2]
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["header", "middle", "text", "half"])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, how: str) -> None:
    path = tmp_path / "outbox.sqlite3"
    damaged(path, how)
    before = path.read_bytes()
    store = SqliteStore(path)
    outbox = Outbox(store, config(), 0)
    outbox.put("cam", b"x", 5, 0)
    outbox.commit(0)
    assert outbox.healthy
    assert [row.payload for row in store.load(0, 9)] == [b"x"]
    assert (tmp_path / "outbox.damaged").read_bytes() == before, "for whoever wants to look"
    store.close()


def test_a_journal_of_a_damaged_file_does_not_reach_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    damaged(path, "header")
    assert (tmp_path / "outbox.sqlite3-journal").exists()
    before = (tmp_path / "outbox.sqlite3-journal").read_bytes()
    store = SqliteStore(path)
    assert store.contents().rows == 0
    assert (tmp_path / "outbox.damaged-journal").read_bytes() == before
    store.close()


def test_sequences_survive_damage_where_they_can_still_be_read(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    store = SqliteStore(path)
    store.reserve("cam", 4096)
    store.close()
    damaged(path, "rows")
    store = SqliteStore(path)
    assert (tmp_path / "outbox.damaged").exists()
    assert store.contents().sequences == {"cam": 4096}
    assert store.contents().rows == 0
    store.close()


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    store = SqliteStore(path)
    store.append(rows(1))
    store._db.execute("PRAGMA user_version = 7")
    store.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"another version of Selvedge \(7\)"):
        SqliteStore(path)
    assert path.read_bytes() == before


WRITER = """
import sys
from pathlib import Path
from agent.config.device import OutboxConfig
from agent.outbox.adapters.sqlite_store import SqliteStore
from agent.outbox.outbox import Outbox
store = SqliteStore(Path(sys.argv[1]))
outbox = Outbox(store, OutboxConfig(commit_interval_ms=0, window=1000), 0)
print("ready", flush=True)
now_ms = 0
while True:
    now_ms += 10
    sequence = outbox.sequences.next("cam")
    outbox.put("cam", str(sequence).encode().ljust(200 + sequence % 3000), 5, now_ms)
    print(sequence, flush=True)
    if sequence % 50 == 0:
        for row in outbox.take(now_ms):
            if int(row.payload) % 5 == 0:
                outbox.acknowledge(row.id)
                print(-int(row.payload) - 1, flush=True)
        outbox.tend(now_ms)
"""


def test_killed_at_any_moment_every_committed_row_is_there(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    chance = random.Random(20_250_101)
    waiting: set[int] = set()
    highest = -1
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.02, 0.4))
            writer.send_signal(signal.SIGKILL)
            lines = writer.stdout.read().split(b"\n")[:-1]  # a torn last line is not counted on
        said = [int(line) for line in lines]
        fresh = [n for n in said if n >= 0]
        assert not fresh or min(fresh) > highest, "a sequence is given out twice"
        highest = max([highest, *fresh])
        waiting |= set(fresh)
        waiting -= {-n - 1 for n in said if n < 0}
        store = SqliteStore(path)
        held = {int(row.payload) for row in store.load(0, 10**9)}
        assert waiting <= held, "a row that was committed and not acknowledged is gone"
        assert store._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        highest = max([highest, *held])
        store.close()
    assert len(waiting) > 100
