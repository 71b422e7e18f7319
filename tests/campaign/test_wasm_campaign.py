"""Converted modules at length: the published models and random operators; counts are printed."""

import numpy as np
import pytest

from tests.support.engine import MODEL_NAMES, MODELS, Micro, difference, edge_inputs, engine_of
from tests.support.engine_families import FAMILIES
from tests.support.wasm_modules import RUNTIMES, Loaded, module_of

INPUTS = 200
SEEDS = range(2_000, 2_100)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda one: one.name)
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_model(name, runtime):
    if not (MODELS / f"{name}.tflite").exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    model = (MODELS / f"{name}.tflite").read_bytes()
    wasm, micro, plan = Loaded(runtime(module_of(model))), Micro(model), engine_of(model).plan
    differing = values = 0
    rng = np.random.default_rng(INPUTS)
    for inputs in edge_inputs(plan.tensors[plan.inputs[0]].shape, rng, INPUTS):
        theirs = micro.run([inputs])
        differing += difference(wasm.run([inputs]), theirs)
        values += theirs[0].size
    print(f"\n{name}, {runtime.name}: {differing} of {values} values differ, {INPUTS} inputs")
    assert differing == 0


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda one: one.name)
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_operator(family, runtime):
    values = 0
    for seed in SEEDS:
        made = FAMILIES[family](seed)
        theirs = engine_of(made.model).run(made.inputs)
        assert difference(Loaded(runtime(module_of(made.model))).run(made.inputs), theirs) == 0
        values += theirs[0].size
    print(f"\n{family}, {runtime.name}: 0 of {values} values differ, seeds {SEEDS}")
