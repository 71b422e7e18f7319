"""A short slice of the campaign: mutated modules are refused, stopped, or end their child."""

import pytest

from tests.support.engine_cases import case
from tests.support.loading import load_mutants
from tests.support.wasm_modules import module_of
from tests.support.wasm_text import Made

SEEDS = range(300)


@pytest.mark.parametrize("runtime", ["wasm3", "wasmtime"])
@pytest.mark.parametrize("converted", [False, True])
def test_mutants_are_loaded_and_run(tmp_path, runtime, converted):
    path = tmp_path / "m.wasm"
    path.write_bytes(module_of(case("conv", 0).model) if converted else Made().bytes())
    seeds = SEEDS[:60] if converted else SEEDS
    outcomes = load_mutants(path, runtime, seeds, hang_s=6.0)
    print(f"\n{runtime}: {dict(outcomes)}")
    assert outcomes["died with 1"] == 0  # an exception of ours
    assert outcomes.total() == len(seeds)
    assert outcomes["refused"] > outcomes["answered"] > 0
