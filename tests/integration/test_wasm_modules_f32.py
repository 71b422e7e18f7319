"""Converted float32 models under wasmtime and wasm3 give the bytes of the host's engine."""

import pytest

from tests.support.engine import difference, engine_of
from tests.support.engine_cases_f32 import FLOAT_FAMILIES, case_f32
from tests.support.wasm_modules import RUNTIMES, Loaded, module_of


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda one: one.name)
@pytest.mark.parametrize("family", sorted(FLOAT_FAMILIES))
def test_an_operator_equals_the_host_engine(family, runtime):
    for seed in range(3):
        made = case_f32(family, seed)
        wasm = Loaded(runtime(module_of(made.model)))
        theirs = engine_of(made.model).run(made.inputs)
        assert difference(wasm.run(made.inputs), theirs) == 0
