"""The engine gives TFLite Micro's bytes on the MLPerf Tiny models, within the published memory."""

import numpy as np
import pytest

from tests.support.engine import MODEL_NAMES, MODELS, Engine, Micro, difference, edge_inputs
from toolchain.lowering.lower import lower
from toolchain.plan.encode import encode
from toolchain.tflite.reader import read

LIVE_BYTES = {
    "ad01_int8": 768,
    "kws_ref_model": 16_000,
    "pretrainedResnet_quant": 49_152,
    "vww_96_int8": 55_296,
}
INPUTS = 12


@pytest.fixture(params=MODEL_NAMES)
def name(request):
    if not (MODELS / f"{request.param}.tflite").exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    return request.param


@pytest.fixture
def model(name):
    return (MODELS / f"{name}.tflite").read_bytes()


def test_every_output_equals_tflite_micro(name, model):
    engine, micro = Engine(encode(lower(read(model)))), Micro(model)
    shape = engine.plan.tensors[engine.plan.inputs[0]].shape
    differing = values = 0
    for inputs in edge_inputs(shape, np.random.default_rng(len(model)), INPUTS):
        theirs = micro.run([inputs])
        differing += difference(engine.run([inputs]), theirs)
        values += sum(output.size for output in theirs)
    print(f"\n{name}: {differing} of {values} values differ, {INPUTS} inputs")
    assert differing == 0
    assert values > 0


def test_the_arena_is_the_live_memory(name, model):
    assert lower(read(model)).arena_bytes <= LIVE_BYTES[name]


def test_the_same_model_gives_the_same_plan(model):
    assert encode(lower(read(model))) == encode(lower(read(model)))
