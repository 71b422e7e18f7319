"""`selvedge trainer`: a module and its first parameters, or one line that says why not."""

import hashlib
import json

import numpy as np
import pytest

import selvedge
from broker.contract.shape import to_tree
from tests.support.networks import CNN, HEAD
from tests.support.trainers import Wasm3Trainer, WasmtimeTrainer, module_of
from toolchain.convert.sections import Kind, read
from toolchain.training.initial import initial_parameters


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "digits.json"
    path.write_text(json.dumps(to_tree(CNN)))
    return path


def test_a_module_and_parameters_are_written(source, tmp_path, capsys):
    output, first = tmp_path / "digits.wasm", tmp_path / "first.f32"
    words = ["trainer", str(source), str(output), "--parameters", str(first), "--seed", "3"]
    assert selvedge.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    assert told["parameters_sha256"] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert (told["parameters"], told["target"]) == (9098, "scalar")
    assert first.read_bytes() == initial_parameters(CNN, 3).tobytes()
    assert output.read_bytes() == module_of(CNN, "scalar", "digits")
    for runtime in (Wasm3Trainer, WasmtimeTrainer):
        assert len(runtime(output.read_bytes()).parameters) == 9098


def test_a_module_has_no_more_memory_than_it_needs(source):
    for network in (HEAD, CNN):
        parts = {section.kind for section in read(module_of(network))}
        assert not parts & {Kind.IMPORT, Kind.START}
    assert len(WasmtimeTrainer(module_of(HEAD)).memory) == 1 << 16


@pytest.mark.parametrize(
    ("text", "words", "code", "said"),
    [
        ("{", [], 4, "is not JSON; see docs/reference/train-abi.md"),
        ("[" * 100000, [], 4, "is not JSON; see docs/reference/train-abi.md"),
        ('{"input": [3], "layers": [{"kind": "dense"}]}', [], 4, "layers.0.units: is missing"),
        (json.dumps(to_tree(HEAD)), ["--seed", "-1"], 2, "is no number from 0 to 2^64 - 1"),
        (json.dumps(to_tree(HEAD)), ["--parameters", "/nowhere/x"], 6, "/nowhere/x: cannot"),
    ],
)
def test_what_cannot_be_made_is_said_in_one_line(text, words, code, said, tmp_path, capsys):
    (tmp_path / "a.json").write_text(text)
    try:
        told = selvedge.main(
            ["trainer", str(tmp_path / "a.json"), str(tmp_path / "a.wasm"), *words]
        )
    except SystemExit as end:
        told = end.code
    assert told == code
    line = capsys.readouterr().err.splitlines()[-1]
    assert said in line


def test_training_lowers_the_loss():
    """Two clouds of points are told apart after a few steps."""
    trainer = WasmtimeTrainer(module_of(HEAD))
    trainer.parameters[:] = initial_parameters(HEAD, 0)
    trainer.set(learning_rate=0.1, momentum=0.9)
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 10, 32).astype(np.int32)
    examples = (rng.standard_normal((10, 64))[labels] + 0.1).astype(np.float32)
    losses = [trainer.train(examples, labels) for _ in range(30)]
    assert losses[-1] < 0.1 < 2 < losses[0]
    assert trainer.evaluate(examples, labels)[1] == 32
