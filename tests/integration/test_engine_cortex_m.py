"""The build for Cortex-M, with the C twin of its assembly: the portable build's bytes for any plan,
and as safe. `test_firmware_operators.py` has the assembly itself, on the board."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from engine.host.build import REPLAY, build
from tests.support.engine import MODEL_NAMES, MODELS, Engine, difference, edge_inputs, engine_of
from tests.support.engine_compare import fuzz
from tests.support.engine_packed import against_portable
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Status, Target
from toolchain.tflite.reader import read

CORTEX_M = Settings(target=Target.CORTEX_M)
LEAST_TAKEN = {
    "conv": 60,
    "depthwise": 30,
    "fully_connected": 40,
    "grouped_conv": 15,
    "wide_add": 25,
    "wide_conv": 60,
    "wide_depthwise": 30,
    "wide_fully_connected": 5,
    "wide_sub": 25,
}
"""Of 100 cases; the portable kernels have those with weights of a zero point or large factors."""
NEVER = {Status.BAD_ARGUMENT}  # the program aligns its memory


def model_named(name):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    return path.read_bytes()


@pytest.mark.parametrize("family", LEAST_TAKEN)
def test_an_operator_equals_the_portable_build(family):
    taken, values = against_portable(family, range(100), Target.CORTEX_M)
    print(f"\n{family}: 0 of {values} values differ, {taken} of 100 cases were packed")
    assert taken >= LEAST_TAKEN[family]


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_model_equals_the_portable_build_in_the_same_arena(name):
    model = model_named(name)
    packed, portable = engine_of(model, CORTEX_M), engine_of(model)
    assert packed.plan.arena_bytes == portable.plan.arena_bytes
    assert all(
        own.layout != 0
        for own in packed.plan.operators
        if own.opcode.name.startswith(("CONV", "DEPTHWISE", "FULLY", "ADD"))
    )
    shape = packed.plan.tensors[packed.plan.inputs[0]].shape
    for inputs in edge_inputs(shape, np.random.default_rng(4), 8):
        assert difference(packed.run([inputs]), portable.run([inputs])) == 0


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_model_runs_clean_under_the_sanitizers(name, tmp_path):
    plan = encode(lower(read(model_named(name)), CORTEX_M))
    engine = Engine(plan)
    shape = engine.plan.tensors[engine.plan.inputs[0]].shape
    inputs = edge_inputs(shape, np.random.default_rng(3), 3)
    (tmp_path / "plan").write_bytes(plan)
    (tmp_path / "inputs").write_bytes(b"".join(one.tobytes() for one in inputs))
    replay = build(replace(REPLAY, kernels="cortex_m"))
    command = [replay, tmp_path / "plan", tmp_path / "inputs", tmp_path / "outputs"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-4000:]
    expected = b"".join(engine.run([one])[0].tobytes() for one in inputs)
    assert (tmp_path / "outputs").read_bytes() == expected


def test_mutated_plans_are_refused_or_run_clean(tmp_path):
    answers = fuzz(tmp_path, seed=3, count=20_000, target=Target.CORTEX_M)
    print(f"\n{ ({status.name: count for status, count in answers.items()}) }")
    assert all(answers[status] > 0 for status in set(Status) - NEVER)
