"""The samples' file: bounds, age, and a deletion that leaves no byte behind."""

import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agent.config.samples import SamplesConfig
from agent.errors import SampleError, StorageError
from agent.learning.samples.adapters.sqlite_samples import SqliteSamples
from agent.learning.samples.sample import Example, Label, Sample

DAY_MS = 24 * 3600 * 1000
BOUNDS = SamplesConfig(limit_bytes=1 << 20, per_label=100)


def noise(name: str, length: int = 5000) -> bytes:
    """Bytes that are found nowhere by chance."""
    return hashlib.shake_128(name.encode()).digest(length)


def sample(name: str, label: Label = "yes", length: int = 5000) -> Sample:
    return Sample(name, label, Example(noise(name, length), "uint8", 0.5, 3))


def residue(folder: Path, data: bytes) -> list[str]:
    """Where any 16 bytes of `data` lie, in any file."""
    pieces = {data[at : at + 16] for at in range(0, len(data) - 16, 16)}
    raw = {path.name: path.read_bytes() for path in folder.iterdir()}
    return [name for name, held in raw.items() if any(piece in held for piece in pieces)]


@pytest.fixture
def store(tmp_path: Path) -> SqliteSamples:
    return SqliteSamples(tmp_path / "samples.sqlite3")


def test_what_is_kept_comes_back_after_a_new_start(store: SqliteSamples, tmp_path: Path) -> None:
    assert not store.exists
    assert (store.load("cam"), store.counts("cam"), store.forget("cam")) == ([], {}, 0)
    assert list(tmp_path.iterdir()) == [], "to ask makes no file"
    kept = [sample("a"), sample("b", "no"), sample("c", (1.5, -2.0))]
    store.put("cam", kept, BOUNDS, 5)
    store.put("mic", [sample("a")], BOUNDS, 5)
    store.close()
    again = SqliteSamples(tmp_path / "samples.sqlite3")
    assert again.load("cam") == kept
    assert again.counts("cam") == {"yes": 1, "no": 1, "": 1}
    assert (tmp_path / "samples.sqlite3").stat().st_mode & 0o077 == 0


def test_a_second_label_replaces_the_first(store: SqliteSamples) -> None:
    store.put("cam", [sample("a"), sample("b")], BOUNDS, 5)
    store.put("cam", [sample("a", "no")], BOUNDS, 6)
    assert store.counts("cam") == {"yes": 1, "no": 1}


def test_bounds(store: SqliteSamples) -> None:
    few = SamplesConfig(limit_bytes=1 << 16, per_label=8)
    store.put("cam", [sample("rare", "no")], few, 5)
    for n in range(30):
        store.put("cam", [sample(str(n))], few, 5)
    assert [one.origin for one in store.load("cam")] == ["rare", *map(str, range(22, 30))]
    store.put("cam", [sample(f"big {n}", "huge", 30_000) for n in range(3)], few, 5)
    counts = store.counts("cam")
    assert counts["no"] == 1
    assert sum(len(one.example.data) for one in store.load("cam")) <= 1 << 16
    with pytest.raises(SampleError, match="exceeds limit_bytes of 65536; raise it"):
        store.put("cam", [sample("ok"), sample("huge", "x", 70_000)], few, 5)
    assert store.counts("cam") == counts, "all or none"


def test_the_forgotten_are_in_no_file(store: SqliteSamples, tmp_path: Path) -> None:
    for n in range(20):
        store.put("cam", [sample(f"{n}", "secret" if n % 2 else "open")], BOUNDS, 5)
    store.put("mic", [sample("another", "mine")], BOUNDS, 5)
    gone = [noise(f"{n}") for n in range(1, 20, 2)]
    assert all(residue(tmp_path, data) for data in gone)
    assert store.forget("cam", "secret") == 10
    assert [residue(tmp_path, data) for data in gone] == [[]] * 10
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir()), "nor its name"
    assert residue(tmp_path, noise("2"))
    assert store.counts("cam") == {"open": 10}
    assert store.forget("cam") == 10
    assert not any(residue(tmp_path, noise(f"{n}")) for n in range(20))
    assert store.counts("mic") == {"mine": 1}, "another pipeline's stay"
    assert residue(tmp_path, noise("another"))


def test_what_a_killed_agent_had_deleted_is_gone_at_the_next_start(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from tests.integration.test_samples_sqlite import *
store = SqliteSamples(Path({str(tmp_path)!r}) / "samples.sqlite3")
store.put("cam", [sample("a"), sample("b", "no")], BOUNDS, 5)
store._empty_log = lambda: os.kill(os.getpid(), signal.SIGKILL)
store.forget("cam", "yes")
"""
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)
    assert ended.returncode == -9
    assert residue(tmp_path, noise("a")), "the log still has it"
    again = SqliteSamples(tmp_path / "samples.sqlite3")
    assert again.counts("cam") == {"no": 1}
    assert not residue(tmp_path, noise("a"))


def test_a_reader_in_the_way_is_told_of(
    store: SqliteSamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.learning.samples.adapters.sqlite_samples.BUSY_S", 0.05)
    store.put("cam", [sample("a")], BOUNDS, 5)
    reader = sqlite3.connect(tmp_path / "samples.sqlite3", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM samples").fetchone()
    with pytest.raises(StorageError, match="another process still reads it; forget once more"):
        store.forget("cam")
    reader.close()
    assert store.forget("cam") == 0
    assert not residue(tmp_path, noise("a"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_imports_stays_the_agents(tmp_path: Path) -> None:
    os.chown(tmp_path, 4711, 4712)
    store = SqliteSamples(tmp_path / "samples.sqlite3")
    store.put("cam", [sample("a")], BOUNDS, 5)
    files = list(tmp_path.iterdir())
    assert len(files) > 1, "the file and its log"
    assert {(file.stat().st_uid, file.stat().st_gid) for file in files} == {(4711, 4712)}
    store.close()


def test_age(store: SqliteSamples, tmp_path: Path) -> None:
    assert store.expire({}, 60, DAY_MS) == 0
    store.put("cam", [sample("old")], BOUNDS, DAY_MS)
    store.put("cam", [sample("undated")], BOUNDS, None)
    store.put("gone", [sample("other")], BOUNDS, DAY_MS)
    assert store.expire({"cam": 9 * 86400}, 20 * 86400, 10 * DAY_MS) == 0
    assert store.expire({"cam": 9 * 86400}, 20 * 86400, 10 * DAY_MS + 1) == 1
    assert not residue(tmp_path, noise("old"))
    assert store.counts("cam") == {"yes": 1}, "it is as old as the first time that was known"
    assert store.counts("gone") == {"yes": 1}
    assert store.expire({}, 9 * 86400, 20 * DAY_MS) == 2


def test_a_file_of_another_version_or_no_database(tmp_path: Path) -> None:
    path = tmp_path / "samples.sqlite3"
    sqlite3.connect(path).execute("PRAGMA user_version = 9")
    with pytest.raises(StorageError, match="another version of Selvedge"):
        SqliteSamples(path).counts("cam")
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="not a database"):
        SqliteSamples(path).counts("cam")
