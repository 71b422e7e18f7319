"""Releases, links and journals on a real disk."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import FullError, StorageError
from agent.models.adapters.model_folder import SPARE_BYTES, ModelFolder
from agent.models.journal import Journal, Links
from tests.support.releases import MadeRelease

ONE, TWO, THREE = (MadeRelease(number) for number in (1, 2, 3))
SUFFIXES = (".tflite", ".golden", ".golden")


@pytest.fixture
def store(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models", lambda: 1 << 20)


def put_together(store: ModelFolder, made: MadeRelease, only: int = 3) -> None:
    """What the installer leaves."""
    fresh = Path(store.place(made.id) + ".new")
    fresh.mkdir(parents=True)
    (fresh / "manifest.json").write_bytes(made.document)
    for ref, suffix in list(zip(made.refs(), SUFFIXES, strict=True))[:only]:
        (fresh / f"{ref.sha256}{suffix}").write_bytes(made.blobs[ref.sha256])


def staged(store: ModelFolder, *releases: MadeRelease) -> None:
    for made in releases:
        put_together(store, made)
        store.stage(made.id)


def test_a_release_is_seen_once_it_is_staged(store: ModelFolder) -> None:
    assert store.manifest(ONE.id) is None
    put_together(store, ONE)
    assert store.manifest(ONE.id) is None
    store.stage(ONE.id)
    assert store.manifest(ONE.id) == ONE.document
    assert store.holds(ONE.id, ONE.refs())
    assert not store.holds(ONE.id, TWO.refs())
    with pytest.raises(StorageError):
        store.stage(ONE.id)


def test_files_for_another_pipeline_join_what_is_there(store: ModelFolder) -> None:
    put_together(store, ONE, only=1)
    store.stage(ONE.id)
    assert not store.holds(ONE.id, ONE.refs())
    put_together(store, ONE)
    store.stage(ONE.id)
    assert store.holds(ONE.id, ONE.refs())


def test_a_file_that_was_cut_short_is_not_held(store: ModelFolder) -> None:
    staged(store, ONE)
    model = next(Path(store.place(ONE.id)).glob("*.tflite"))
    os.truncate(model, 3)
    assert not store.holds(ONE.id, ONE.refs())


def test_links_lead_to_releases_and_nowhere_else(store: ModelFolder) -> None:
    staged(store, ONE, TWO)
    assert store.links("cam") == Links()
    store.link("cam", Links(TWO.id, ONE.id))
    assert store.links("cam") == Links(TWO.id, ONE.id)
    link = store.path / "serving" / "cam"
    assert (link / "manifest.json").read_bytes() == TWO.document
    assert link.readlink() == Path("..") / TWO.id
    store.link("cam", Links(ONE.id))
    assert store.links("cam") == Links(ONE.id)
    link.unlink()
    for target in ("/etc", "../../etc", "../" + "0" * 64, "../serving"):
        link.symlink_to(target)
        assert store.links("cam") == Links()
        link.unlink()
    link.write_text("a file")
    assert store.links("cam") == Links()


def test_journals_outlive_the_process_and_damage(store: ModelFolder) -> None:
    assert store.journal("cam") is None
    journal = Journal("/m.tflite", "golden", ONE.release, decided={"digits": 7})
    store.keep("cam", journal)
    assert store.journal("cam")["release"]["manifest"]["sha256"] == ONE.id
    path = store.path / "journal" / "cam.json"
    for damage in (b"", b"{", b"[" * 100_000, b"\xff\xfe", b'"x"' * 40_000):
        path.write_bytes(damage)
        store.journal("cam")
    store.drop("cam")
    assert store.journal("cam") is None


def test_what_nobody_needs_goes(store: ModelFolder) -> None:
    staged(store, ONE, TWO, THREE)
    put_together(store, MadeRelease(4))
    (store.path / "notes.txt").write_text("of somebody else")
    store.link("cam", Links(ONE.id))
    store.keep("door", Journal("/m", "golden", TWO.release))
    store.sweep()
    assert {path.name for path in store.path.iterdir()} == {
        *(ONE.id, TWO.id),
        *("serving", "journal", "notes.txt"),
    }


def test_what_was_to_join_a_release_goes_with_it(store: ModelFolder) -> None:
    staged(store, *(MadeRelease(number) for number in range(12)))
    for number in range(12):
        put_together(store, MadeRelease(number))
    store.sweep()
    assert list(store.path.iterdir()) == []


def test_room_is_bounded(tmp_path: Path) -> None:
    limit = [1000]
    store = ModelFolder(tmp_path / "models", lambda: limit[0])
    staged(store, ONE)
    store.link("cam", Links(ONE.id))
    held = sum(path.stat().st_size for path in Path(store.place(ONE.id)).iterdir())
    wanted = sum(ref.bytes for ref in TWO.refs())
    limit[0] = held + wanted
    store.check_room(TWO.refs())
    limit[0] -= 1
    with pytest.raises(FullError, match=f"exceed models.limit_bytes of {limit[0]}"):
        store.check_room(TWO.refs())
    store.link("cam", Links())
    store.check_room(TWO.refs())


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    store: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs

    def nearly_full(path: Path) -> os.statvfs_result:
        words = list(real(path))
        words[0] = words[1] = 4096
        words[4] = SPARE_BYTES // 4096
        return os.statvfs_result(words)

    monkeypatch.setattr(os, "statvfs", nearly_full)
    with pytest.raises(FullError, match="too little of the disk"):
        store.check_room(ONE.refs())


KILLED = """
import json, os, sys
from pathlib import Path
from agent.models.adapters import model_folder
from agent.models.adapters.model_folder import ModelFolder
from agent.models.journal import Journal, Links

folder, one, two, left = Path(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4])
calls = 0

def counted(name):
    real = getattr(os, name)
    def call(*arguments, **more):
        global calls
        calls += 1
        if calls == left:
            os.kill(os.getpid(), 9)
        return real(*arguments, **more)
    setattr(os, name, call)

for name in ("replace", "rename", "unlink", "symlink", "fsync", "rmdir", "mkdir"):
    counted(name)
store = ModelFolder(folder, lambda: 2**30)
store.keep("cam", Journal("/m", "switch"))
store.stage(two)
store.link("cam", Links(two, one))
store.keep("cam", Journal("/n", "idle"))
store.sweep()
print(calls)
"""


def test_killed_between_any_two_calls_of_the_system(tmp_path: Path) -> None:
    """Folders are whole, links lead to them, and journals are one or the other."""
    seen, left = set(), 0
    while True:
        left += 1
        store = ModelFolder(tmp_path / str(left) / "models", lambda: 2**30)
        staged(store, ONE, THREE)
        store.link("cam", Links(ONE.id))
        store.keep("cam", Journal("/m", "golden", TWO.release))
        put_together(store, TWO)
        words = [str(store.path), ONE.id, TWO.id, str(left)]
        told = subprocess.run(
            [sys.executable, "-c", KILLED, *words], check=False, capture_output=True
        )
        journal = store.journal("cam")
        links = store.links("cam")
        assert (journal["configured"], journal["state"]) in {
            ("/m", "golden"),
            ("/m", "switch"),
            ("/n", "idle"),
        }
        assert links.serving in (ONE.id, TWO.id)
        for made in (ONE, TWO, THREE):
            assert store.manifest(made.id) in (None, made.document)
            assert store.manifest(made.id) is None or store.holds(made.id, made.refs())
        seen.add((links, journal["state"], store.manifest(THREE.id) is None))
        if told.returncode == 0:
            break
        assert told.returncode == -9, told.stderr
    assert left > 15
    assert len(seen) >= 4, "kills fell on every side of every step"
    assert links == Links(TWO.id, ONE.id)
    assert json.loads((store.path / "journal" / "cam.json").read_bytes())["state"] == "idle"
