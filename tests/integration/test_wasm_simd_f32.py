"""The simd128 build's float32: exact with whole numbers, else near as another order of sums is."""

import pytest

from tests.support.engine import Lite, difference, engine_of
from tests.support.engine_cases_f32 import FLOAT_FAMILIES, SUMS, case_f32, surrounded_f32
from tests.support.engine_compare_f32 import compare_simd_f32
from tests.support.wasm_modules import Loaded, Wasmtime, module_of
from toolchain.convert.convert import Choices
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Target
from toolchain.tflite.reader import read

SIMD = Choices(target="simd")
CASES = 8


@pytest.mark.parametrize("family", sorted(SUMS))
def test_sums_are_those_of_the_reference(family):
    cases, values, differing = compare_simd_f32(family, range(CASES))
    print(f"\n{family}: {differing} of {values} values differ by their order, {cases} cases")


@pytest.mark.parametrize("family", sorted(FLOAT_FAMILIES.keys() - SUMS))
def test_everything_else_equals_the_portable_engine(family):
    for seed in range(CASES):
        made = case_f32(family, seed)
        wasm = Loaded(Wasmtime(module_of(made.model, SIMD)))
        assert difference(wasm.run(made.inputs), engine_of(made.model).run(made.inputs)) == 0


@pytest.mark.parametrize("family", ["conv", "depthwise"])
def test_folded_padding_is_exact_with_whole_numbers(family):
    for seed in range(2 * CASES):
        made = surrounded_f32(family, seed)
        wasm = Loaded(Wasmtime(module_of(made.model, SIMD)))
        assert difference(wasm.run(made.inputs), Lite(made.model).run(made.inputs)) == 0


def test_convolutions_run_on_this_targets_own_kernel():
    layouts = set()
    for seed in range(20):
        model = read(case_f32("pointwise", seed).model)
        (operator,) = lower(model, Settings(target=Target.SIMD128)).operators
        outputs = model.main.tensors[-1].shape[3]
        assert operator.layout == (96 if outputs >= 8 else 0)
        layouts.add(operator.layout)
    assert layouts == {0, 96}
