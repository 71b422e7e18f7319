"""The engine at length: random models, published models; counts are printed."""

import numpy as np
import pytest

from tests.support.engine import MODEL_NAMES, MODELS, Micro, difference, edge_inputs, engine_of
from tests.support.engine_cases_state import STREAMS
from tests.support.engine_compare import (
    compare,
    compare_model_single,
    compare_single,
    compare_streams,
)
from tests.support.engine_families import FAMILIES, ROUNDED
from tests.support.engine_packed import against_portable
from toolchain.plan.numbers import Target


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_operator(family):
    cases, values = compare(family, range(1_000, 3_500))
    print(f"\n{family}: 0 of {values} values differ, {cases} cases, seeds 1000-3499")


@pytest.mark.parametrize("family", sorted(ROUNDED))
def test_operator_single(family):
    cases, values, differing = compare_single(family, range(1_000, 3_500))
    print(f"\n{family}: {differing} of {values} values differ, {cases} cases, seeds 1000-3499")
    assert differing == 0


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_model_single(name):
    if not (MODELS / f"{name}.tflite").exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    model = (MODELS / f"{name}.tflite").read_bytes()
    values, differing = compare_model_single(model, 2_000, 2_000)
    print(f"\n{name}: {differing} of {values} values differ, 2000 inputs")
    assert differing == 0


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_model(name):
    if not (MODELS / f"{name}.tflite").exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    model = (MODELS / f"{name}.tflite").read_bytes()
    engine, micro = engine_of(model), Micro(model)
    shape = engine.plan.tensors[engine.plan.inputs[0]].shape
    differing = values = 0
    for inputs in edge_inputs(shape, np.random.default_rng(200), 200):
        theirs = micro.run([inputs])
        differing += difference(engine.run([inputs]), theirs)
        values += theirs[0].size
    print(f"\n{name}: {differing} of {values} values differ, 200 inputs")
    assert differing == 0


@pytest.mark.parametrize("family", sorted(STREAMS))
def test_variables(family):
    cases, values = compare_streams(family, range(1_000, 3_500))
    print(f"\n{family}: 0 of {values} values differ, {cases} models, seeds 1000-3499")


@pytest.mark.parametrize("family", ["conv", "depthwise", "fully_connected", "grouped_conv"])
def test_packed_operator(family):
    taken, values = against_portable(family, range(10_000, 13_200), Target.SWAR)
    print(f"\n{family}, SWAR: 0 of {values} values differ, {taken} of 3200 cases were packed")
    assert taken >= 2_000
