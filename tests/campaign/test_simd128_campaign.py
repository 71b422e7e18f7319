"""The simd128 build at length: random operators, published models."""

import numpy as np
import pytest

from tests.support.engine import MODEL_NAMES, MODELS, Micro, difference, edge_inputs, engine_of
from tests.support.engine_packed import WIDE, against_portable
from tests.support.wasm_modules import Loaded, Wasmtime, module_of
from toolchain.convert.convert import Choices
from toolchain.plan.numbers import Target

SEEDS = range(1_000, 3_500)
INPUTS = 200


@pytest.mark.parametrize("family", ["add", "conv", "depthwise", "fully_connected", "sub"])
def test_operator(family):
    taken, values = against_portable(family, SEEDS, Target.SIMD128)
    print(f"\n{family}: 0 of {values} values differ, {len(SEEDS)} cases, {taken} packed, {SEEDS}")


@pytest.mark.parametrize("family", WIDE)
def test_wide_operator(family):
    taken, values = against_portable(family, SEEDS[:500], Target.SIMD128)
    print(f"\n{family}: 0 of {values} values differ, 500 cases, {taken} packed, {SEEDS[:500]}")


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_model(name):
    if not (MODELS / f"{name}.tflite").exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    model = (MODELS / f"{name}.tflite").read_bytes()
    wasm, micro = Loaded(Wasmtime(module_of(model, Choices(target="simd")))), Micro(model)
    plan = engine_of(model).plan
    differing = values = 0
    rng = np.random.default_rng(INPUTS)
    for inputs in edge_inputs(plan.tensors[plan.inputs[0]].shape, rng, INPUTS):
        theirs = micro.run([inputs])
        differing += difference(wasm.run([inputs]), theirs)
        values += theirs[0].size
    print(f"\n{name}, simd: {differing} of {values} values differ, {INPUTS} inputs")
    assert differing == 0
