"""The learner as a process: what it leaves, what it refuses, and that it ends with all of it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from agent.errors import AgentError, ModelError
from agent.learning.learner.adapters.backbone import features
from agent.learning.learner.adapters.process import LearnerProcess
from agent.learning.learner.dataset import real
from agent.learning.learner.learn import Start
from agent.learning.learner.request import OWN_CONTROL, REPORT, RESIDUAL, Report
from agent.learning.samples.sample import Example, Sample
from agent.runtime.adapters.child import ask
from agent.runtime.adapters.loading import load
from broker.contract.federated.job import JobSpec
from broker.contract.shape import to_tree
from tests.support.agents import Bench
from tests.support.brokers import eventually
from tests.support.children import have_ended
from tests.support.jobs import LABELS, Desk, blob, job, made
from tests.support.learner import FIRST, HEAD, PARAMETERS, learned
from tests.support.trainers import module_of
from toolchain.training import network as n


def desk_of(folder: Path, spec: JobSpec, samples: list[Sample]) -> Desk:
    return Desk(folder, spec, samples, FIRST, module_of(HEAD))


def asked(desk: Desk, **changes: Any) -> dict[str, Any]:
    """What a learner says at its end."""
    return ask("agent.learning.learner.app", to_tree(replace(desk.request, **changes)), 60.0)


def test_the_learner_as_a_process_leaves_an_update_and_its_report(tmp_path: Path) -> None:
    codec = {"name": "top_k", "options": {"fraction": 0.2, "bits": 8}}
    spec, (samples, _) = job(PARAMETERS, codec=codec), made(40)
    strange = [
        Sample("unknown label", "what", samples[0].example),
        Sample("another size", "yes", Example(bytes(8), "float32")),
        Sample("no number", "yes", Example(np.full(6, np.nan, np.float32).tobytes(), "float32")),
    ]
    desk = desk_of(tmp_path, spec, [*strange, *samples])
    residual = np.full((1, PARAMETERS), 0.01, np.float32)
    kept = blob(tmp_path / "residual", residual.tobytes())
    said = asked(desk, residual=kept)
    out = tmp_path / "out"
    assert json.loads((out / REPORT).read_text()) == said
    assert {key: said[key] for key in ("job", "round", "slices", "examples", "skipped")} == {
        "job": "job",
        "round": 3,
        "slices": 3,
        "examples": 40,
        "skipped": 3,
    }
    expected = learned(spec, samples, Start(FIRST, residual=residual))
    assert tuple((out / str(at)).read_bytes() for at in range(3)) == expected.messages
    assert expected.residual is not None
    assert (out / RESIDUAL).read_bytes() == expected.residual.tobytes()
    assert sorted(path.name for path in out.iterdir()) == ["0", "1", "2", REPORT, RESIDUAL]
    assert not (out / OWN_CONTROL).exists()
    with pytest.raises(ModelError, match="give an empty folder"):
        asked(desk)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("model", b"1234", "has not the 84 bytes"),
        ("model", np.full(PARAMETERS, np.inf, np.float32).tobytes(), "is not finite"),
        ("trainer", b"\0asm", "module"),
        ("model", None, "No such file"),
    ],
)
def test_files_that_do_not_serve(tmp_path: Path, name: str, data: bytes | None, words: str) -> None:
    desk = desk_of(tmp_path, job(PARAMETERS), made(10)[0])
    path = tmp_path / "other"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(AgentError, match=words):
        asked(desk, **{name: str(path)})
    assert list((tmp_path / "out").iterdir()) == []


def test_features_of_a_backbone_are_those_of_the_model(bench: Bench) -> None:
    images = np.load(bench.images)[:5]
    model, _, _ = load(str(bench.model))
    info, answers = model.inputs[0], model.outputs[0]
    stored = [(image.reshape(info.shape).astype(int) - 128).astype(np.int8) for image in images]
    examples = [real(Example(one.tobytes(), "int8", info.scale, info.zero_point)) for one in stored]
    found = features(str(bench.model), examples, 10, 60.0)
    for one, feature in zip(stored, found, strict=True):
        (told,) = model.run([one])
        wanted = (told.astype(np.float32) - answers.zero_point) * np.float32(answers.scale)
        assert np.array_equal(feature, wanted.ravel())
    with pytest.raises(ModelError, match="holds 10 numbers, 9 are needed"):
        features(str(bench.model), examples, 9, 60.0)
    with pytest.raises(ModelError, match="numbers, 3 are needed"):
        features(str(bench.model), [np.zeros(3, np.float32)], 10, 60.0)


def test_a_head_learns_on_features(tmp_path: Path, bench: Bench) -> None:
    head = n.Network((10,), (n.Dense(3),), batch=8)
    spec = job(33, floats=10)
    images = np.load(bench.images)[:24]
    model, _, _ = load(str(bench.model))
    info = model.inputs[0]
    samples = [
        Sample(
            str(at),
            LABELS[bench.labels[at] % 3],
            Example(
                (image.astype(int) - 128).astype(np.int8).tobytes(),
                *("int8", info.scale, info.zero_point),
            ),
        )
        for at, image in enumerate(images)
    ]
    desk = desk_of(tmp_path, spec, samples)
    said = asked(
        desk,
        model=blob(tmp_path / "model", bytes(4 * 33)),
        trainer=blob(tmp_path / "trainer", module_of(head)),
        backbone=str(bench.model),
    )
    assert (said["examples"], said["skipped"]) == (24, 0)
    assert said["losses"][0] == pytest.approx(np.log(3), abs=1e-5)
    assert said["losses"][1] < said["losses"][0]


def ended(process: LearnerProcess) -> Report:
    found: list[Report] = []

    def is_done() -> bool:
        report = process.poll()
        found.extend([report] if report else [])
        return bool(found)

    assert eventually(is_done, 30)
    return found[0]


def test_the_main_process_looks_at_a_learner_now_and_then(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, job(PARAMETERS), made(20)[0])
    report = ended(desk.start())
    assert report.examples == 20
    assert json.loads((tmp_path / "out" / REPORT).read_text()) == to_tree(report)
    with pytest.raises(ModelError, match="give an empty folder"):
        ended(desk.start())


LONG = {"epochs": 1000, "batch": 1, "max_steps": 10**7, "learning_rate": 1e-6}


def working(desk: Desk, **changes: Any) -> tuple[LearnerProcess, list[psutil.Process]]:
    """A learner that is training, and all its processes."""
    process = desk.start(**changes)
    whole = psutil.Process(process.pid)
    assert eventually(lambda: bool(whole.children()), 30)
    return process, [whole, *whole.children(recursive=True)]


def test_an_ended_or_late_or_killed_learner_leaves_no_trainer_behind(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, job(PARAMETERS, local=LONG), made(400)[0])
    process, all_of_it = working(desk)
    assert process.poll() is None
    process.close()
    assert eventually(lambda: have_ended(all_of_it), 10)

    process, all_of_it = working(desk, deadline_s=2.0)
    with pytest.raises(ModelError, match=r"2 s|over"):
        ended(process)
    assert eventually(lambda: have_ended(all_of_it), 10)

    process, all_of_it = working(desk)
    all_of_it[0].kill()
    with pytest.raises(ModelError, match="died with SIGKILL"):
        ended(process)
    assert eventually(lambda: have_ended(all_of_it), 10)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_main_process_needs_no_numpy_for_it() -> None:
    program = "import sys, agent.learning.learner.adapters.process; print('numpy' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert told.stdout.strip() == b"False"
