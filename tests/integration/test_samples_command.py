"""`selvedge samples` on the store of an agent."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import selvedge
from agent.learning.learner.dataset import real
from agent.learning.samples.adapters.sqlite_samples import SAMPLES_FILE, SqliteSamples

CONFIG = """
[pipelines.cam]
source = {kind = "replay", path = "/data"}
model = "/m.tflite"
postprocess = {kind = "classify", labels = ["no", "yes"]}
samples = {per_label = 3}
"""


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    config = tmp_path / "selvedge.toml"
    config.write_text(CONFIG)

    def call(op: str, *words: str) -> tuple[int, dict[str, Any]]:
        options = ["--json", "--config", str(config), "--state", str(tmp_path / "state")]
        code = selvedge.main(["samples", op, *words, *options])
        return code, json.loads(capsys.readouterr().out)

    return call


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_import_list_and_forget(told: Any, tmp_path: Path) -> None:
    assert told("list") == (0, {"pipelines": {}})
    assert not (tmp_path / "state").exists(), "to ask makes nothing"
    examples = np.arange(40, dtype=np.uint8).reshape(5, 2, 4)
    file = saved(tmp_path / "a.npz", examples=examples, labels=np.array([0, 1, 1, 1, 1]))
    words = ("cam", file, "--scale", "0.5", "--zero-point", "10")
    for _ in range(2):
        code, tree = told("import", *words)
        assert (code, tree["imported"], tree["held"]) == (0, 5, 4)
    assert told("list") == (0, {"pipelines": {"cam": {"no": 1, "yes": 3}}})
    store = SqliteSamples(tmp_path / "state" / SAMPLES_FILE)
    kept = store.load("cam")
    assert [one.label for one in kept] == ["no", "yes", "yes", "yes"]
    assert real(kept[0].example).tolist() == [-5, -4.5, -4, -3.5, -3, -2.5, -2, -1.5]
    store.close()
    assert told("forget", "cam", "--label", "1")[1]["forgotten"] == 3
    assert told("list", "cam") == (0, {"pipelines": {"cam": {"no": 1}}})
    data = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert examples[0].tobytes() in data
    assert examples[4].tobytes() not in data
    assert told("forget", "cam")[1]["forgotten"] == 1


def test_targets(told: Any, tmp_path: Path) -> None:
    file = saved(tmp_path / "a.npz", examples=np.ones((2, 3)), labels=np.array([[1.5], [2]]))
    assert told("import", "cam", file)[0] == 0
    store = SqliteSamples(tmp_path / "state" / SAMPLES_FILE)
    assert [(one.label, one.example.dtype) for one in store.load("cam")] == [
        ((1.5,), "float32"),
        ((2.0,), "float32"),
    ]
    store.close()


@pytest.mark.parametrize(
    ("arrays", "words", "code"),
    [
        ({"x": np.ones(3)}, "arrays examples and labels are wanted; there are x", 2),
        ({"examples": np.ones((2, 3)), "labels": np.ones(3, int)}, "do not pair up", 2),
        ({"examples": np.ones(3), "labels": np.ones(3, int)}, "do not pair up", 2),
        ({"examples": np.ones((2, 3)), "labels": np.ones(2)}, "integers [n] or floats", 2),
        ({"examples": np.ones((1, 3)), "labels": np.array([-1])}, "label -1 is refused", 2),
        ({"examples": np.ones((1, 3), bool), "labels": np.array([1])}, "examples are bool", 2),
        ({"examples": np.ones((1, 10**6)), "labels": np.array([1])}, "4000000 bytes", 2),
        ({"examples": np.array([[None]]), "labels": np.array([1])}, "plain numbers", 4),
    ],
)
def test_files_that_are_refused(
    told: Any, tmp_path: Path, arrays: dict[str, Any], words: str, code: int
) -> None:
    found, tree = told("import", "cam", saved(tmp_path / "a.npz", **arrays))
    assert found == code
    assert words in tree["error"]
    assert "a.npz" in tree["error"]
    assert told("list") == (0, {"pipelines": {}})


def test_a_pipeline_that_nobody_configured(told: Any, tmp_path: Path) -> None:
    file = saved(tmp_path / "a.npz", examples=np.ones((2, 3)), labels=np.ones(2, int))
    code, tree = told("import", "mic", file)
    assert code == 3
    assert "no pipeline 'mic' is configured; there are cam" in tree["error"]
