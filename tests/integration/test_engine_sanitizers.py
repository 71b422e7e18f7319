"""The engine under AddressSanitizer and UndefinedBehaviorSanitizer."""

import subprocess

import numpy as np
import pytest

from engine.host.build import REPLAY, build
from tests.support.engine import MODEL_NAMES, MODELS, Engine, edge_inputs
from tests.support.engine_compare import fuzz
from toolchain.lowering.lower import lower
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Status
from toolchain.tflite.reader import read

NEVER = {Status.BAD_ARGUMENT}  # the program aligns its memory


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_model_runs_clean_and_gives_the_same_bytes(name, tmp_path):
    if not (MODELS / f"{name}.tflite").exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    plan = encode(lower(read((MODELS / f"{name}.tflite").read_bytes())))
    engine = Engine(plan)
    shape = engine.plan.tensors[engine.plan.inputs[0]].shape
    inputs = edge_inputs(shape, np.random.default_rng(3), 3)
    (tmp_path / "plan").write_bytes(plan)
    (tmp_path / "inputs").write_bytes(b"".join(one.tobytes() for one in inputs))
    command = [build(REPLAY), tmp_path / "plan", tmp_path / "inputs", tmp_path / "outputs"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-4000:]
    expected = b"".join(engine.run([one])[0].tobytes() for one in inputs)
    assert (tmp_path / "outputs").read_bytes() == expected


def test_mutated_plans_are_refused_or_run_clean(tmp_path):
    answers = fuzz(tmp_path, seed=1, count=20_000)
    print(f"\n{ ({status.name: count for status, count in answers.items()}) }")
    assert all(answers[status] > 0 for status in set(Status) - NEVER)
