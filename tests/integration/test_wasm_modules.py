"""A converted model gives the reference's bytes under wasmtime and wasm3, and is sealed."""

import hashlib
import struct

import numpy as np
import pytest
import wasmtime

from tests.support.engine import MODEL_NAMES, MODELS, Micro, difference, edge_inputs, engine_of
from tests.support.engine_cases import case, is_per_tensor, older
from tests.support.engine_families import FAMILIES
from tests.support.wasm_modules import RUNTIMES, Loaded, Wasmtime, module_of, prebuilt
from toolchain.convert import label
from toolchain.convert.contents import read_exports, read_memory
from toolchain.convert.convert import Choices, to_plan
from toolchain.convert.join import EXPORTS
from toolchain.convert.sections import Kind, read
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Rounding, Status
from toolchain.tflite.reader import read as read_model

INPUTS = 8
ROOM_BYTES = 48_000
SINGLE = Choices(rounding="single")


def model_named(name):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    return path.read_bytes()


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda one: one.name)
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_output_equals_the_host_engine_and_tflite_micro(name, runtime):
    model = model_named(name)
    wasm, host, micro = Loaded(runtime(module_of(model))), engine_of(model), Micro(model)
    rng = np.random.default_rng(len(model))
    against_host = against_micro = values = 0
    for inputs in edge_inputs(host.plan.tensors[host.plan.inputs[0]].shape, rng, INPUTS):
        mine = wasm.run([inputs])
        against_host += difference(mine, host.run([inputs]))
        against_micro += difference(mine, micro.run([inputs]))
        values += mine[0].size
    print(f"\n{name}, {runtime.name}: {against_micro} of {values} values differ, {INPUTS} inputs")
    assert (against_host, against_micro) == (0, 0)
    assert values > 0


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_module_is_little_larger_than_its_weights(name):
    model = model_named(name)
    weights = sum(len(one.data) for one in read_model(model).main.tensors if one.data is not None)
    module = module_of(model)
    print(f"\n{name}: {len(module)} bytes, weights {weights}, engine {len(prebuilt())}")
    assert len(module) <= weights + ROOM_BYTES


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda one: one.name)
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_an_operator_equals_the_host_engine(family, runtime):
    for seed in range(3):
        made = FAMILIES[family](seed)
        for choices, settings in ((Choices(), None), (SINGLE, Settings(Rounding.SINGLE))):
            wasm = Loaded(runtime(module_of(made.model, choices)))
            theirs = engine_of(made.model, settings).run(made.inputs)
            assert difference(wasm.run(made.inputs), theirs) == 0


def test_uint8_models_equal_the_host_engine():
    seeds = [seed for seed in range(20) if is_per_tensor(case("conv", seed))]
    assert seeds
    for seed in seeds[:4]:
        made = older(case("conv", seed), seed)
        wasm = Loaded(Wasmtime(module_of(made.model)))
        assert wasm.tensor(wasm.inputs[0])[3]
        assert difference(wasm.run(made.inputs), engine_of(made.model).run(made.inputs)) == 0


@pytest.fixture(scope="module")
def model():
    return case("conv", 0).model


@pytest.fixture(scope="module")
def module(model):
    return module_of(model)


def test_a_module_sees_nothing_of_its_host_and_cannot_grow(module):
    wasmtime.Module.validate(wasmtime.Engine(), module)
    parts = {section.kind: section.payload for section in read(module)}
    assert not {Kind.IMPORT, Kind.START} & parts.keys()
    assert {one.name for one in read_exports(parts[Kind.EXPORT])} == EXPORTS
    limits = read_memory(parts[Kind.MEMORY])
    assert limits.minimum == limits.maximum
    loaded = Wasmtime(module)
    assert loaded.module.imports == []
    with pytest.raises(wasmtime.WasmtimeError):
        loaded.memory.grow(loaded.store, 1)


def test_memory_holds_plan_and_arena_and_less_than_a_page_more(module):
    loaded = Loaded(Wasmtime(module))
    end = loaded.arena + loaded.arena_bytes
    pages = loaded.host.memory.size(loaded.host.store)
    assert end <= pages * 65536 < end + 65536
    assert (loaded.plan % 16, loaded.arena % 16) == (0, 0)


def test_the_table_names_the_tensors(model, module):
    loaded, plan = Loaded(Wasmtime(module)), engine_of(model).plan
    record = loaded.host.read(loaded.tensors + 48 * loaded.inputs[0], 48)
    (name,) = struct.unpack_from("<I", record, 12)
    tensor = plan.tensors[plan.inputs[0]]
    expected = tensor.name.encode() + b"\0"
    assert loaded.host.read(loaded.strings + name, len(expected)) == expected
    assert struct.unpack_from("<f", record, 16)[0] == tensor.scale
    assert loaded.abi == loaded.host.call("sv_abi") == 1


def test_the_label_says_what_it_is(model, module):
    found = label.find(read(module))
    assert found.plan_sha256 == hashlib.sha256(to_plan(model, Choices())).hexdigest()
    assert found.engine_sha256 == hashlib.sha256(prebuilt()).hexdigest()
    assert (found.name, found.rounding, found.target) == ("a model", "double", "scalar")


def test_the_same_model_gives_the_same_module(model, module):
    assert module_of(model) == module


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda one: one.name)
def test_there_is_nothing_at_a_number_that_no_input_has(module, runtime):
    host = runtime(module)
    assert host.call("sv_input", 0) > 0
    assert [host.call(name, 1) for name in ("sv_input", "sv_output")] == [0, 0]


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("offset", "status"),
    [(0, Status.NOT_A_PLAN), (8, Status.CORRUPT), (11, Status.TRUNCATED), (-1, Status.CORRUPT)],
)
def test_a_damaged_plan_is_refused_without_a_trap(model, module, runtime, offset, status):
    plan = to_plan(model, Choices())
    damaged = bytearray(module)
    damaged[module.index(plan) + offset % len(plan)] ^= 0x40
    host = runtime(bytes(damaged))
    assert host.call("sv_invoke") == status
    assert [host.call("sv_input", 0), host.call("sv_output", 0), host.call("sv_describe")] == [
        0
    ] * 3


def test_an_engine_without_a_plan_says_so():
    assert Wasmtime(prebuilt()).call("sv_invoke") == Status.TRUNCATED
