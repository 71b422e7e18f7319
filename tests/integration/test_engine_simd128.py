"""The kernels for simd128, compiled for this machine with their instructions in plain C: the
portable build's bytes, for any plan, and as safe."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from engine.host.build import REPLAY, build
from tests.support.engine import MODEL_NAMES, MODELS, Engine, edge_inputs
from tests.support.engine_compare import fuzz
from tests.support.engine_packed import WIDE, against_portable
from tests.support.engine_seeds import network_plans
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Status, Target
from toolchain.tflite.reader import read

NEVER = {Status.BAD_ARGUMENT}  # the program aligns its memory


FAMILIES = {
    "conv": 60,
    "depthwise": 20,
    "depthwise_3x3": 20,
    "fully_connected": 50,
    "grouped_conv": 10,
    "wide_conv": 10,
    "wide_depthwise": 5,
    "wide_fully_connected": 10,
}
"""Families with how many of their cases the kernels take at least, of a hundred or of twenty."""


@pytest.mark.parametrize("family", FAMILIES)
def test_an_operator_equals_the_portable_build(family):
    cases = 20 if family in WIDE else 100
    taken, values = against_portable(family, range(cases), Target.SIMD128)
    print(f"\n{family}: 0 of {values} values differ, {taken} of {cases} cases were packed")
    assert taken >= FAMILIES[family]


@pytest.mark.parametrize("family", ["add", "sub"])
def test_a_sum_equals_the_portable_build(family):
    _, values = against_portable(family, range(100), Target.SIMD128)
    print(f"\n{family}: 0 of {values} values differ, 100 cases")
    assert values > 0


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_model_runs_clean_under_the_sanitizers(name, tmp_path):
    if not (MODELS / f"{name}.tflite").exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    model = read((MODELS / f"{name}.tflite").read_bytes())
    engine = Engine(encode(lower(model)))
    shape = engine.plan.tensors[engine.plan.inputs[0]].shape
    inputs = edge_inputs(shape, np.random.default_rng(3), 3)
    (tmp_path / "plan").write_bytes(encode(lower(model, Settings(target=Target.SIMD128))))
    (tmp_path / "inputs").write_bytes(b"".join(one.tobytes() for one in inputs))
    replay = build(replace(REPLAY, kernels="simd128"))
    command = [replay, tmp_path / "plan", tmp_path / "inputs", tmp_path / "outputs"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-4000:]
    expected = b"".join(engine.run([one])[0].tobytes() for one in inputs)
    assert (tmp_path / "outputs").read_bytes() == expected


def test_mutated_plans_are_refused_or_run_clean(tmp_path):
    answers = fuzz(tmp_path, seed=2, count=20_000, target=Target.SIMD128)
    print(f"\n{ ({status.name: count for status, count in answers.items()}) }")
    assert all(answers[status] > 0 for status in set(Status) - NEVER)


def test_mutated_networks_are_refused_or_run_clean(tmp_path):
    answers = fuzz(tmp_path, 2, 150, Target.SIMD128, network_plans)
    print(f"\n{ ({status.name: count for status, count in answers.items()}) }")
    assert answers[Status.OK] > 20
