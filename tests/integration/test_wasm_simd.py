"""The simd128 build gives the same bytes as TFLite Micro and as the portable engine."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.engine import MODEL_NAMES, MODELS, Micro, difference, edge_inputs, engine_of
from tests.support.engine_cases import FAMILIES, case, surrounded
from tests.support.wasm_modules import Loaded, Wasmtime, module_of
from toolchain.convert.convert import ROUNDINGS, Choices
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Target
from toolchain.tflite.reader import read

DOUBLE = Choices(target="simd")
INPUTS = 24
CASES = 12
ARENA_BYTES = dict(zip(MODEL_NAMES, (768, 16_000, 49_152, 55_296), strict=True))
ROOM_BYTES = 80_000


def model_named(name):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    return path.read_bytes()


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_output_equals_tflite_micro(name):
    model = model_named(name)
    wasm, micro = Loaded(Wasmtime(module_of(model, DOUBLE))), Micro(model)
    shape = read(model).main.tensors[read(model).main.inputs[0]].shape
    differing = values = 0
    for inputs in edge_inputs(shape, np.random.default_rng(len(model)), INPUTS):
        theirs = micro.run([inputs])
        differing += difference(wasm.run([inputs]), theirs)
        values += theirs[0].size
    print(f"\n{name}, simd: {differing} of {values} values differ, {INPUTS} inputs")
    assert differing == 0


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_speed_costs_no_memory_and_few_bytes(name):
    model = model_named(name)
    weights = sum(len(one.data) for one in read(model).main.tensors if one.data is not None)
    module = module_of(model, DOUBLE)
    print(f"\n{name}: {len(module)} bytes, weights {weights}")
    assert Loaded(Wasmtime(module)).arena_bytes == ARENA_BYTES[name]
    assert len(module) <= weights + ROOM_BYTES  # 300 kB for vww_96_int8


@pytest.mark.parametrize("rounding", sorted(ROUNDINGS))
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_an_operator_equals_the_portable_engine(family, rounding):
    for seed in range(CASES):
        made = case(family, seed)
        wasm = Loaded(Wasmtime(module_of(made.model, replace(DOUBLE, rounding=rounding))))
        theirs = engine_of(made.model, Settings(ROUNDINGS[rounding])).run(made.inputs)
        assert difference(wasm.run(made.inputs), theirs) == 0, f"{family}, seed {seed}"


@pytest.mark.parametrize("family", ["conv", "depthwise"])
def test_folded_padding_equals_the_portable_engine(family):
    for seed in range(CASES):
        made = surrounded(case(family, seed), seed)
        wasm = Loaded(Wasmtime(module_of(made.model, DOUBLE)))
        assert difference(wasm.run(made.inputs), engine_of(made.model).run(made.inputs)) == 0


def test_the_models_run_on_this_targets_own_kernels():
    for name in MODEL_NAMES:
        plan = lower(read(model_named(name)), Settings(target=Target.SIMD128))
        kinds = {(one.opcode.name, one.layout) for one in plan.operators}
        own = {"CONV_2D_S8": {32}, "DEPTHWISE_CONV_2D_S8": {33, 35}, "FULLY_CONNECTED_S8": {34}}
        assert all(layout in own[opcode] for opcode, layout in kinds if opcode in own)
