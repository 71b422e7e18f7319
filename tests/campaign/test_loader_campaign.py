"""20,000 mutated modules against the loader, in children that may die; counts are printed."""

import pytest

from tests.integration.test_wasm_verdicts import verdicts
from tests.support.engine_cases import case
from tests.support.loading import load_mutants
from tests.support.wasm_modules import module_of
from tests.support.wasm_text import Made

SEEDS = range(10_000, 20_000)


@pytest.fixture(scope="module", params=["hand-made", "converted"])
def module(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("modules") / "m.wasm"
    path.write_bytes(
        Made().bytes() if request.param == "hand-made" else module_of(case("conv", 0).model)
    )
    return path


def test_the_verdicts_of_20_000_mutants(module):
    taken, valid = verdicts(module.read_bytes(), SEEDS)
    print(f"\n{len(SEEDS)} mutants: {taken} taken, {valid} valid, seeds {SEEDS}")
    assert valid >= taken > 0


@pytest.mark.parametrize("runtime", ["wasm3", "wasmtime"])
def test_20_000_mutants_are_loaded_and_run(module, runtime):
    outcomes = load_mutants(module, runtime, SEEDS)
    print(f"\n{runtime}: {dict(outcomes)}, seeds {SEEDS}")
    assert outcomes["died with 1"] == 0  # an exception of ours
    assert outcomes.total() == len(SEEDS)
    assert outcomes["refused"] > 0
    assert outcomes["answered"] > 0
