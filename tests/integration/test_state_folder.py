"""The state folder on a real file system, and the configuration files beside it."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.config_files import MAX_FILE_BYTES, read_files, state_folder
from agent.adapters.state_folder import DESIRED, StateFolder, read_remembered
from agent.config.layers import Layers
from agent.control.shadow import Remembered, Shadow, recall
from agent.errors import ConfigError, StorageError
from broker.contract.codec import MAX_JSON_BYTES

ROOT = Path(__file__).parents[2]


def test_what_is_remembered_is_read_back_by_the_next_agent(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "a" / "b")
    assert folder.remembered() is None
    document = {"fleet": {}, "device": {"x": [1, None, "é"]}, "accepted": {}}
    folder.remember(document)
    folder.release()
    assert StateFolder(tmp_path / "a" / "b").remembered() == document
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0, "nobody else may read it"


def test_a_second_agent_is_refused_and_a_dead_one_does_not_lock(tmp_path: Path) -> None:
    first = StateFolder(tmp_path)
    with pytest.raises(StorageError, match="another agent uses this state folder"):
        StateFolder(tmp_path)
    first.release()
    StateFolder(tmp_path).release()
    holder = (
        "import sys, os, signal; from pathlib import Path\n"
        "from agent.adapters.state_folder import StateFolder\n"
        "StateFolder(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", holder, str(tmp_path)], cwd=ROOT, check=False)
    StateFolder(tmp_path).release()


def test_a_child_that_outlives_the_agent_does_not_hold_its_lock(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with subprocess.Popen(["sleep", "60"]) as child:
        folder.release()
        StateFolder(tmp_path).release()
        child.kill()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"nul\0l", b"[" * 200_000, b'"' + b"a" * 3_000_000 + b'"', b"5"],
)
def test_a_damaged_memory_counts_as_none_and_the_next_one_is_kept(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / DESIRED).write_bytes(content)
    folder = StateFolder(tmp_path)
    assert recall(folder.remembered()) == Remembered()
    folder.remember({"fleet": {"log_level": "debug"}})
    assert recall(folder.remembered()).fleet == {"log_level": "debug"}


@pytest.mark.parametrize("filler", ["a", "é", "語", "😀", "\\n"])
def test_the_largest_documents_that_come_are_remembered_whole(tmp_path: Path, filler: str) -> None:
    shadow = Shadow(Layers(), Remembered())
    size = (MAX_JSON_BYTES - 100) // len(filler.encode())
    for scope in ("fleet", "device"):
        labels = f'{{"{scope}": "{filler * size}", "log_level": "debug"}}'
        assert shadow.desire(scope, labels.encode())  # type: ignore[arg-type]
    folder = StateFolder(tmp_path)
    folder.remember(shadow.remembered())
    again = Shadow(Layers(), recall(folder.remembered()))
    assert again.config.log_level == "debug"
    assert again.remembered() == shadow.remembered()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_cut_off_while_writing_the_old_memory_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    folder = StateFolder(tmp_path)
    folder.remember({"fleet": {"log_level": "debug"}})

    def cut(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), cut)
    with pytest.raises(StorageError, match="No space left on device"):
        folder.remember({"fleet": {"log_level": "error"}})
    monkeypatch.undo()
    assert folder.remembered() == {"fleet": {"log_level": "debug"}}
    folder.remember({"fleet": {}})
    assert folder.remembered() == {"fleet": {}}


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/selvedge")):
        with pytest.raises(StorageError, match="set state_dir to a folder that can be written"):
            StateFolder(path)
        assert read_remembered(path) is None


def test_where_state_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_folder("/x", {"STATE_DIRECTORY": "/y"}) == Path("/x")
    assert state_folder(None, {"STATE_DIRECTORY": "/y:/z"}) == Path("/y")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert state_folder(None, {}) == Path("/var/lib/selvedge")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert state_folder(None, {"XDG_STATE_HOME": "/h"}) == Path("/h/selvedge")
    assert state_folder(None, {}) == Path.home() / ".local/state/selvedge"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = ", "is not TOML"),
        (b"\xff", "is not UTF-8: byte 0"),
        (b"a = 1\na = 2", "is not TOML"),
        (b"a = " + b"[" * 50_000, "deep"),
        (b"#" * (MAX_FILE_BYTES + 1), f"larger than {MAX_FILE_BYTES} bytes"),
    ],
)
def test_a_configuration_file_that_cannot_be_used_is_one_line(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "agent.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        read_files([str(path)])
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["/nowhere/agent.toml", "/", "/dev/zero"])
def test_what_is_no_file_is_one_line_too(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        read_files([name])


def test_files_are_read_in_the_order_given(tmp_path: Path) -> None:
    for name, level in (("b.toml", "debug"), ("a.toml", "error")):
        (tmp_path / name).write_text(f'log_level = "{level}"')
    names = [str(tmp_path / name) for name in ("b.toml", "a.toml")]
    assert [json.dumps(tree) for _, tree in read_files(names)] == [
        '{"log_level": "debug"}',
        '{"log_level": "error"}',
    ]
