"""The trainer that a user writes in C: built as its page says, and held to the interface."""

import re
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from agent.learning.trainer.adapters.session import Session
from examples.trainer import digits

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "trainer"


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """What the command in README.md makes."""
    text = (FOLDER / "README.md").read_text().replace("\\\n", " ")
    [command] = re.findall(r"^\$ \S*python (-m ziglang .*) -o trainer\.wasm$", text, re.MULTILINE)
    made = tmp_path_factory.mktemp("trainer") / "trainer.wasm"
    words = [sys.executable, *shlex.split(command), "-Wall", "-Wextra", "-Werror", "-o", str(made)]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2000:]
    return made


def test_it_is_short():
    assert (FOLDER / "trainer.c").read_text().count("\n") <= 80


@pytest.mark.parametrize("runtime", ["wasmtime", "wasm3"])
def test_it_learns_digits_in_the_sandbox(module, runtime, capsys):
    assert digits.main(str(module), runtime) > 0.9
    assert "epoch 10: loss" in capsys.readouterr().out


def test_its_steps_are_those_of_pytorch(module):
    rng = np.random.default_rng(4)
    parameters = rng.uniform(-0.1, 0.1, 650).astype(np.float32)
    weights = torch.tensor(parameters[:640].reshape(10, 64), requires_grad=True)
    biases = torch.tensor(parameters[640:], requires_grad=True)
    optimizer = torch.optim.SGD([weights, biases], 0.05, momentum=0.9, weight_decay=0.01)
    with Session(module.read_bytes()) as session:
        session.write_parameters(parameters.tobytes())
        session.write_hyper(struct.pack("<8f", 0.05, 0.9, 0.01, *[0.0] * 5))
        for _ in range(5):
            examples = rng.standard_normal((32, 64)).astype(np.float32)
            labels = rng.integers(0, 10, 32).astype(np.int32)
            targets = torch.eye(10)[torch.tensor(labels).long()]
            outputs = torch.tensor(examples) @ weights.T + biases
            loss = ((outputs - targets) ** 2).sum(dim=1).mean() / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found = session.train(examples.tobytes(), labels.tobytes(), 32)
            assert found == pytest.approx(loss.item(), rel=1e-5)
        mine = np.frombuffer(session.parameters(), np.float32)
    theirs = torch.cat([weights.detach().ravel(), biases.detach()]).numpy()
    assert np.abs(mine - theirs).max() < 1e-5


def test_it_refuses_what_the_interface_says(module):
    with Session(module.read_bytes()) as session:
        session.write_hyper(struct.pack("<8f", 0.05, *[0.0] * 7))
        before = session.parameters()
        assert np.isnan(session.train(bytes(256), struct.pack("<i", 10), 1))
        assert np.isnan(session.train(b"\0\0\x80\x7f" * 64, struct.pack("<i", 1), 1))
        assert session.parameters() == before
