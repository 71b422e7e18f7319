"""Mutated trainer modules in their sandbox; what became of them is printed."""

import pytest

from tests.support.mutated_trainers import try_mutants

SEEDS = range(10_000, 11_000)


@pytest.mark.parametrize("runtime", ["wasmtime", "wasm3"])
def test_a_thousand_mutants_are_refused_ended_or_train(runtime):
    outcomes = try_mutants(runtime, SEEDS)
    print(f"\n{runtime}: {dict(outcomes)}, seeds {SEEDS}")
    assert outcomes.total() == len(SEEDS)
    assert outcomes["refused"] > 0
    assert outcomes["trained"] > 0
