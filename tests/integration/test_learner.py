"""The learner with a real trainer module: against numpy, by seed, and what it refuses."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from agent.config.samples import SamplesConfig
from agent.errors import AgentError, ModelError, SampleError
from agent.learning.learner.adapters.backbone import features
from agent.learning.learner.adapters.process import LearnerProcess
from agent.learning.learner.dataset import Floats, real
from agent.learning.learner.learn import Learned, Start, learn
from agent.learning.learner.request import OWN_CONTROL, REPORT, RESIDUAL, Report, Request
from agent.learning.learner.training import batches
from agent.learning.samples.adapters.sqlite_samples import SqliteSamples
from agent.learning.samples.fitting import index_of
from agent.learning.samples.sample import Example, Sample
from agent.learning.trainer.adapters.session import Session
from agent.runtime.adapters.child import ask
from agent.runtime.adapters.loading import load
from broker.contract.federated.codecs.bits import update_seed
from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.feedback import decode_vector
from broker.contract.federated.job import JobSpec
from broker.contract.federated.update import UpdateSlice, decode_slice
from broker.contract.shape import to_tree
from tests.support.agents import Bench
from tests.support.brokers import eventually
from tests.support.jobs import FLOATS, LABELS, SEED, blob, job, made, task
from tests.support.trainers import module_of
from toolchain.training import network as n

HEAD = n.Network((FLOATS,), (n.Dense(3),), batch=8)
PARAMETERS = 3 * FLOATS + 3
KEY = bytes(32)
FIRST = np.random.default_rng(8).standard_normal(PARAMETERS).astype(np.float32)


def learned(spec: JobSpec, samples: list[Sample], start: Start, **more: Any) -> Learned:
    examples = [real(one.example) for one in samples]
    with Session(module_of(HEAD)) as trainer:
        seed = more.get("seed", SEED)
        return learn(task(spec, seed=seed), "dev", samples, examples, start, trainer, KEY)


def slices(messages: tuple[bytes, ...]) -> list[UpdateSlice]:
    return [decode_slice(message) for message in messages]


def vector(spec: JobSpec, messages: tuple[bytes, ...], number: int = 0) -> Floats:
    count = spec.cut.per_vector
    data = [one.data for one in slices(messages)[number * count : (number + 1) * count]]
    seed = update_seed(spec.codec.name, SEED, number, "dev")
    return decode_vector(codec_of(spec.codec, PARAMETERS), data, spec.cut, seed)


def by_hand(spec: JobSpec, samples: list[Sample], order: Any, shift: Any = 0.0) -> Any:
    """Softmax regression by SGD in float64: the difference that it makes to FIRST."""
    at = FIRST.astype(np.float64)
    x = np.array([real(one.example) for one in samples], np.float64)
    y = np.eye(3)[[index_of(one.label, spec.model) for one in samples]]
    for some in order:
        weights, biases = at[:-3].reshape(3, FLOATS), at[-3:]
        scores = np.exp(x[some] @ weights.T + biases)
        error = (scores / scores.sum(axis=1, keepdims=True) - y[some]) / len(some)
        gradient = np.concatenate([(error.T @ x[some]).ravel(), error.sum(axis=0)])
        at = at - spec.local.learning_rate * (gradient + shift)
    return at - FIRST


def order_of(spec: JobSpec, count: int) -> Any:
    from hashlib import sha256

    return batches(count, spec.local, sha256(f"{SEED}/3/dev/order".encode()).digest())


def test_an_update_is_what_numpy_makes_of_the_same_batches() -> None:
    spec, (samples, _) = job(PARAMETERS), made(53)
    found = learned(spec, samples, Start(FIRST))
    assert found.steps == 14
    assert found.examples == 53
    update = vector(spec, found.messages)
    assert np.allclose(update, by_hand(spec, samples, order_of(spec, 53)), atol=1e-5)
    assert found.losses is not None
    before, after = found.losses
    assert after < before
    assert slices(found.messages)[0].losses == pytest.approx(found.losses, rel=1e-6)
    assert learned(spec, samples, Start(FIRST)) == found, "the same seed, the same bytes"
    assert learned(spec, samples, Start(FIRST), seed="0" * 16).messages != found.messages


def test_scaffold_trains_with_its_control_and_sends_the_change_of_its_own() -> None:
    options = {"name": "scaffold", "options": {"devices": 4}}
    spec, (samples, _) = job(PARAMETERS, strategy=options), made(40)
    rng = np.random.default_rng(3)
    control, own = (0.1 * rng.standard_normal((2, PARAMETERS))).astype(np.float32)
    found = learned(spec, samples, Start(FIRST, control, own))
    shift = control.astype(np.float64) - own
    update = by_hand(spec, samples, order_of(spec, 40), shift)
    assert np.allclose(vector(spec, found.messages), update, atol=1e-5)
    change = -control - update / (found.steps * spec.local.learning_rate)
    assert np.allclose(vector(spec, found.messages, 1), change, atol=1e-5)
    assert found.own_control is not None
    assert np.allclose(found.own_control - own, change, atol=1e-5)


def test_rounds_with_top_k_lose_nothing_and_learn() -> None:
    codec = {"name": "top_k", "options": {"fraction": 0.2, "bits": 8}}
    spec, (samples, _) = job(PARAMETERS, codec=codec), made(60)
    start = Start(FIRST)
    losses = []
    for _ in range(8):
        found = learned(spec, samples, start)
        assert found.residual is not None
        assert found.losses is not None
        losses.append(found.losses[0])
        model = start.model + vector(spec, found.messages)
        start = Start(model, residual=found.residual)
    assert losses[-1] < 0.6 * losses[0]


def test_privacy_tells_less() -> None:
    samples, _ = made(60)
    private = {"mode": "central", "clip_norm": 0.05, "noise_multiplier": 1.0}
    judged = {"holdout": 0.3}
    spec = job(PARAMETERS, privacy=private, evaluation=judged)
    found = learned(spec, samples, Start(FIRST))
    assert (found.examples, found.losses) == (1, None)
    assert np.linalg.norm(vector(spec, found.messages)) <= 0.05
    assert found.evaluation is not None
    assert 5 < found.evaluation.examples < 35
    spec = job(PARAMETERS, privacy=private | {"mode": "local"}, evaluation=judged)
    found = learned(spec, samples, Start(FIRST))
    assert (found.examples, found.losses, found.evaluation) == (1, None, None)
    assert slices(found.messages)[0].losses is None
    length = np.linalg.norm(vector(spec, found.messages))
    assert 0.05 < length < 0.05 * (1 + PARAMETERS**0.5 + 6), "what the aggregator lets pass"


@pytest.mark.parametrize(
    ("changes", "count", "words"),
    [
        ({"participation": {"min_examples": 9}}, 8, "fewer than 9 samples fit"),
        ({}, 0, "fewer than 1 samples fit"),
        ({"local": {"batch": 9}}, 20, "takes 8 examples at once, the job 9"),
        ({"local": {"batch": 8, "learning_rate": 1000.0, "epochs": 60}}, 20, "lower the learning"),
    ],
)
def test_what_cannot_be_learned(changes: dict[str, Any], count: int, words: str) -> None:
    samples, _ = made(count)
    huge = [replace(one, example=Example(real(one.example) * 1e15, "float32")) for one in samples]
    used = huge if "learning" in words else samples
    with pytest.raises((ModelError, SampleError), match=words):
        learned(job(PARAMETERS, **changes), used, Start(FIRST))


def test_another_trainer_than_that_of_the_job_is_refused() -> None:
    samples, _ = made(8)
    spec = job(PARAMETERS + 3)
    with pytest.raises(ModelError, match=f"has {PARAMETERS} parameters; the job says"):
        learned(spec, samples, Start(np.zeros(PARAMETERS + 3, np.float32)))


class Desk:
    """A folder with all that a request names."""

    def __init__(self, folder: Path, spec: JobSpec, samples: list[Sample]) -> None:
        self.folder = folder
        store = SqliteSamples(folder / "samples.sqlite3")
        store.put("cam", samples, SamplesConfig(), 5)
        store.close()
        self.request = Request(
            *(spec, task(spec).round, "dev", "cam", str(folder / "samples.sqlite3")),
            model=blob(folder / "model", FIRST.tobytes()),
            trainer=blob(folder / "trainer", module_of(HEAD)),
            output=str(folder / "out"),
        )
        (folder / "out").mkdir()

    def start(self, **changes: Any) -> LearnerProcess:
        return LearnerProcess(replace(self.request, **changes))

    def ask(self, **changes: Any) -> dict[str, Any]:
        tree = to_tree(replace(self.request, **changes))
        return ask("agent.learning.learner.app", tree, 60.0)


def test_the_learner_as_a_process_leaves_an_update_and_its_report(tmp_path: Path) -> None:
    codec = {"name": "top_k", "options": {"fraction": 0.2, "bits": 8}}
    spec, (samples, _) = job(PARAMETERS, codec=codec), made(40)
    strange = [
        Sample("unknown label", "what", samples[0].example),
        Sample("another size", "yes", Example(bytes(8), "float32")),
        Sample("no number", "yes", Example(np.full(6, np.nan, np.float32).tobytes(), "float32")),
    ]
    desk = Desk(tmp_path, spec, [*strange, *samples])
    residual = np.full((1, PARAMETERS), 0.01, np.float32)
    kept = blob(tmp_path / "residual", residual.tobytes())
    said = desk.ask(residual=kept)
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
        desk.ask()


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
    desk = Desk(tmp_path, job(PARAMETERS), made(10)[0])
    path = tmp_path / "other"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(AgentError, match=words):
        desk.ask(**{name: str(path)})
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
    desk = Desk(tmp_path, spec, samples)
    said = desk.ask(
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
    desk = Desk(tmp_path, job(PARAMETERS), made(20)[0])
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


def gone(processes: list[psutil.Process]) -> bool:
    return eventually(
        lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes),
        10,
    )


def test_an_ended_or_late_or_killed_learner_leaves_no_trainer_behind(tmp_path: Path) -> None:
    desk = Desk(tmp_path, job(PARAMETERS, local=LONG), made(400)[0])
    process, all_of_it = working(desk)
    assert process.poll() is None
    process.close()
    assert gone(all_of_it)

    process, all_of_it = working(desk, deadline_s=2.0)
    with pytest.raises(ModelError, match=r"2 s|over"):
        ended(process)
    assert gone(all_of_it)

    process, all_of_it = working(desk)
    all_of_it[0].kill()
    with pytest.raises(ModelError, match="died with SIGKILL"):
        ended(process)
    assert gone(all_of_it)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_main_process_needs_no_numpy_for_it() -> None:
    program = "import sys, agent.learning.learner.adapters.process; print('numpy' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert told.stdout.strip() == b"False"
