"""The kernels for simd128, compiled for this machine with their instructions in plain C: the
portable build's bytes, for any plan, and as safe."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from engine.host.build import REPLAY, build
from tests.support.engine import MODEL_NAMES, MODELS, Engine, check, edge_inputs
from tests.support.engine_cases import one_operator
from tests.support.engine_compare import fuzz
from tests.support.engine_packed import WIDE, against_portable, depthwise_3x3
from tests.support.engine_seeds import network_plans, operator_plans
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.decode import decode
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Status, Target
from toolchain.tflite.reader import read

WIDE_CASE = one_operator(depthwise_3x3, "depthwise_3x3", 2)
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


@pytest.mark.parametrize(
    "changed",
    [{"pad_left": 2}, {"stride_w": 3}, {"dilation_w": 2}, {"dilation_h": 2}, {"kernel_h": 4}],
)
def test_the_kernel_for_3x3_refuses_other_windows(changed):
    plan = lower(read(WIDE_CASE.model), Settings(target=Target.SIMD128))
    (operator,) = plan.operators
    assert operator.layout == 35
    window = replace(operator.parameters.window, **changed)
    changed_one = replace(operator, parameters=replace(operator.parameters, window=window))
    data = encode(replace(plan, operators=(changed_one,)))
    assert check(encode(plan), plan.arena_bytes, Target.SIMD128) is Status.OK
    assert check(data, plan.arena_bytes, Target.SIMD128) is Status.BAD_SHAPE


def test_the_kernel_for_3x3_refuses_less_than_a_block():
    plan = lower(read(WIDE_CASE.model), Settings(target=Target.SIMD128))
    thin = tuple(replace(one, shape=(*one.shape[:3], 7)) for one in plan.tensors)
    assert len(thin) == 2
    data = encode(replace(plan, tensors=thin))
    assert check(data, plan.arena_bytes, Target.SIMD128) is Status.BAD_SHAPE


def own_plans():
    """A plan for each own kernel that has weights, with scratch where any plan of it has some."""
    found = {}
    for _, data in operator_plans(Target.SIMD128):
        plan = decode(data)
        for one in plan.operators[:1]:
            key = (one.opcode.name, one.layout)
            if one.layout and (key not in found or not found[key].operators[0].scratch_bytes):
                found[key] = plan
    return found


def test_weights_and_scratch_must_be_there():
    plans, scratches = own_plans(), 0
    for plan in plans.values():
        (operator,) = plan.operators
        assert check(encode(plan), plan.arena_bytes, Target.SIMD128) is Status.OK
        end = len(plan.constants)
        beyond = replace(operator, parameters=replace(operator.parameters, weights=end + 128))
        wrong = [beyond]
        if operator.scratch_bytes:
            wrong.append(replace(operator, scratch_bytes=operator.scratch_bytes - 1))
            scratches += 1
        for one in wrong:
            data = encode(replace(plan, operators=(one,)))
            answer = check(data, plan.arena_bytes, Target.SIMD128)
            assert answer in (Status.BAD_PARAMETER, Status.BAD_OPERATOR)
    assert len(plans) == 5
    assert scratches == 3


def test_mutated_plans_begin_with_every_kernel_of_this_target():
    plans = own_plans()
    own = {("CONV_2D_S8", 32), ("DEPTHWISE_CONV_2D_S8", 33), ("DEPTHWISE_CONV_2D_S8", 35)}
    assert plans.keys() == own | {("FULLY_CONNECTED_S8", 34), ("CONV_2D_F32", 96)}
    scratch = {name for (name, _), plan in plans.items() if plan.operators[0].scratch_bytes}
    assert scratch == {"CONV_2D_S8", "FULLY_CONNECTED_S8", "CONV_2D_F32"}


def test_mutated_plans_are_refused_or_run_clean(tmp_path):
    answers = fuzz(tmp_path, seed=2, count=20_000, target=Target.SIMD128)
    print(f"\n{ ({status.name: count for status, count in answers.items()}) }")
    assert all(answers[status] > 0 for status in set(Status) - NEVER)


def test_mutated_networks_are_refused_or_run_clean(tmp_path):
    answers = fuzz(tmp_path, 2, 150, Target.SIMD128, network_plans)
    print(f"\n{ ({status.name: count for status, count in answers.items()}) }")
    assert answers[Status.OK] > 20
