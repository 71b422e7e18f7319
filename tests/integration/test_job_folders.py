"""What a device keeps of jobs, on a real disk: settled in one step, wherever a crash comes."""

import json
import os
import shutil
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.learning.jobs.adapters.job_folders import JobFolders
from agent.learning.jobs.adapters.machine_conditions import conditions
from agent.learning.jobs.conditions import Conditions
from agent.learning.jobs.disk import Recalled, Terms
from agent.learning.learner.request import OWN_CONTROL, REPORT, RESIDUAL, Report
from broker.contract.shape import to_tree

TERMS = Terms("digits", "0011223344556677")
OTHER = Terms("digits", "ffeeddccbbaa9988")


def learned(folders: JobFolders, number: int, terms: Terms = TERMS) -> Report:
    """What a learner leaves."""
    output = Path(folders.prepare(terms))
    assert [*output.iterdir()] == []
    for place in range(3):
        (output / str(place)).write_bytes(f"{number} {place}".encode())
    (output / RESIDUAL).write_bytes(f"residual {number}".encode())
    (output / OWN_CONTROL).write_bytes(f"control {number}".encode())
    report = Report(terms.job, number, 3, 5, 2, has_residual=True, has_own_control=True)
    (output / REPORT).write_text(json.dumps(to_tree(report)))
    folders.keep(terms, number, str(output))
    return report


def text(path: str | None) -> str | None:
    return None if path is None else Path(path).read_text()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_an_update_is_kept_settled_and_followed_by_others(tmp_path):
    folders = JobFolders(tmp_path)
    assert folders.recall(TERMS) == Recalled()
    report = learned(folders, 4)
    assert JobFolders(tmp_path).recall(TERMS) == Recalled(kept=report)
    assert [folders.piece(TERMS, 4, place) for place in range(3)] == [b"4 0", b"4 1", b"4 2"]
    folders.settle(TERMS, 4, counted=True)
    found = JobFolders(tmp_path).recall(TERMS)
    assert (found.settled, found.kept) == (4, None)
    assert (text(found.residual), text(found.own_control)) == ("residual 4", "control 4")
    assert len(files(tmp_path)) == 2
    learned(folders, 5)
    folders.settle(TERMS, 5, counted=False)
    found = folders.recall(TERMS)
    assert (found.settled, text(found.residual), text(found.own_control)) == (
        5,
        "residual 4",
        "control 4",
    )
    learned(folders, 6)
    folders.settle(TERMS, 6, counted=True)
    assert text(folders.recall(TERMS).residual) == "residual 6"
    folders.drop_residual("digits")
    found = folders.recall(TERMS)
    assert (found.settled, found.residual, text(found.own_control)) == (6, None, "control 6")
    folders.remove("digits")
    assert [*tmp_path.iterdir()] == []


def test_a_round_that_was_taken_back_before_anything_counted_is_remembered(tmp_path):
    folders = JobFolders(tmp_path)
    learned(folders, 1)
    folders.settle(TERMS, 1, counted=False)
    assert folders.recall(TERMS) == Recalled(settled=1)
    folders.settle(TERMS, 1, counted=False)
    assert folders.recall(TERMS) == Recalled(settled=1)


def test_rounds_may_begin_again_from_one(tmp_path):
    """An aggregator that lost its state counts from the beginning; the last word is what counts."""
    folders = JobFolders(tmp_path)
    learned(folders, 9)
    folders.settle(TERMS, 9, counted=True)
    learned(folders, 1)
    folders.settle(TERMS, 1, counted=True)
    found = folders.recall(TERMS)
    assert (found.settled, text(found.residual)) == (1, "residual 1")


def test_what_is_not_whole_is_deleted_and_no_update(tmp_path):
    folders = JobFolders(tmp_path)
    place = tmp_path / "digits" / TERMS.digest
    (Path(folders.prepare(TERMS)) / "0").write_bytes(b"half")
    (place / "round-2").mkdir()
    (place / "round-2" / "0").write_bytes(b"half")
    learned(folders, 3)
    (place / "round-3" / "1").unlink()
    learned(folders, 5)
    (place / "round-5" / REPORT).write_text("{")
    (place / "settled.new").symlink_to("round-5")
    (place / "notes").write_text("?")
    assert folders.recall(TERMS) == Recalled()
    assert files(tmp_path) == set()


def test_other_terms_begin_with_nothing(tmp_path):
    folders = JobFolders(tmp_path)
    learned(folders, 3)
    folders.settle(TERMS, 3, counted=True)
    assert folders.recall(OTHER) == Recalled()
    assert files(tmp_path) == set()


def test_a_crash_at_any_step_of_settling_leaves_all_or_nothing(tmp_path, monkeypatch):
    """Every call that changes the disk is made to be the last one, in turn."""
    steps = [("os", "link"), ("os", "fsync")]
    steps += [("Path", name) for name in ("mkdir", "symlink_to", "replace", "unlink")]
    steps += [("shutil", "rmtree")]
    owners = {"os": os, "Path": Path, "shutil": shutil}
    seen = set()
    for counted in (True, False):
        for fatal in range(40):
            root = tmp_path / f"{counted}-{fatal}"
            folders = JobFolders(root)
            learned(folders, 1)
            folders.settle(TERMS, 1, counted=True)
            kept = learned(folders, 2)
            left = fatal
            with monkeypatch.context() as patch:
                for owner, name in steps:
                    real = getattr(owners[owner], name)

                    def dying(*args, real=real, **named):
                        nonlocal left
                        left -= 1
                        if left < 0:
                            raise OSError(5, "the power is gone")
                        return real(*args, **named)

                    patch.setattr(owners[owner], name, dying)
                try:
                    folders.settle(TERMS, 2, counted=counted)
                    died = False
                except StorageError:
                    died = True
            found = JobFolders(root).recall(TERMS)
            before = (1, kept, "residual 1")
            after = (2, None, "residual 2" if counted else "residual 1")
            state = (found.settled, found.kept, text(found.residual))
            assert state in (before, after), fatal
            assert died or state == after
            seen.add((died, state == after))
            if not died:
                break
        assert not died
    assert seen == {(True, False), (True, True), (False, True)}


def test_only_the_newest_jobs_are_kept(tmp_path):
    folders = JobFolders(tmp_path)
    for age, name in enumerate("abcd"):
        folders.prepare(Terms(name, "00"))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    folders.prune(2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    JobFolders(tmp_path / "nowhere").prune(2)


def test_a_slice_that_is_too_long_or_gone_is_refused(tmp_path):
    folders = JobFolders(tmp_path)
    output = Path(folders.prepare(TERMS))
    (output / "0").write_bytes(bytes(64_001))
    folders.keep(TERMS, 1, str(output))
    with pytest.raises(StorageError, match="more than 64000 bytes"):
        folders.piece(TERMS, 1, 0)
    with pytest.raises(StorageError, match="No such file"):
        folders.piece(TERMS, 1, 1)
    folders.discard(TERMS, 1)
    folders.discard(TERMS, 1)


def supplies(folder: Path, **named: dict[str, str]) -> Path:
    for name, values in named.items():
        (folder / name).mkdir()
        for key, value in values.items():
            (folder / name / key).write_text(f"{value}\n")
    return folder


MAINS = {"type": "Mains", "online": "1"}
BATTERY = {"type": "Battery", "status": "Charging"}


@pytest.mark.parametrize(
    ("found", "on_battery"),
    [
        ({}, False),
        ({"ac": MAINS}, False),
        ({"ac": MAINS, "bat": BATTERY}, False),
        ({"ac": MAINS, "bat": BATTERY | {"status": "Discharging"}}, True),
        ({"ac": MAINS | {"online": "0"}, "bat": BATTERY | {"status": "Unknown"}}, True),
        ({"bat": BATTERY | {"status": "Full"}}, True),
        ({"usb": {"type": "USB", "online": "1"}, "bat": BATTERY | {"status": "Full"}}, False),
    ],
)
def test_power_is_what_the_kernel_tells(tmp_path, found, on_battery):
    assert conditions(supplies(tmp_path, **found)).on_battery is on_battery


def test_this_machine_tells_its_load():
    found = conditions(Path("/nowhere"))
    assert found == Conditions(False, found.load)
    assert 0 <= found.load < 1000
