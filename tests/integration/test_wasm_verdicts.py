"""Our proof of code against wasmtime's: what it refuses, we never take."""

import pytest
import wasmtime

from agent.errors import ModelError
from agent.runtime.wasm.body import check_bodies
from agent.runtime.wasm.sealed import seal
from tests.support.engine_cases import FAMILIES, case
from tests.support.wasm_modules import module_of
from tests.support.wasm_mutants import mutant
from tests.support.wasm_text import Made
from tests.unit.test_wasm_body import BAD, GOOD, TYPES

MUTANTS = 1_000
ENGINE = wasmtime.Engine()


def is_taken(module: bytes) -> bool:
    try:
        sealed = seal(module)
        check_bodies(sealed.data, sealed.module)
    except ModelError:
        return False
    return True


def is_valid(module: bytes) -> bool:
    try:
        wasmtime.Module.validate(ENGINE, module)
    except wasmtime.WasmtimeError:
        return False
    return True


def verdicts(module: bytes, seeds: range) -> tuple[int, int]:
    """How many mutants we take, and wasmtime takes; those that only we take are a fault."""
    taken = valid = 0
    for seed in seeds:
        changed = mutant(module, seed)
        ours, theirs = is_taken(changed), is_valid(changed)
        assert theirs or not ours, f"mutant {seed} is no valid module and was taken"
        taken, valid = taken + ours, valid + theirs
    return taken, valid


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_module_of_ours_is_taken(family):
    assert is_taken(module_of(case(family, 1).model))


def test_of_mutants_none_is_taken_that_wasmtime_refuses():
    for module in (Made().bytes(), module_of(case("conv", 0).model)):
        taken, valid = verdicts(module, range(MUTANTS // 2))
        print(f"\n{len(module)} bytes: {taken} of {MUTANTS // 2} taken, {valid} valid")
        assert MUTANTS // 2 > valid >= taken > 0


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_the_tables_of_the_unit_tests_say_what_wasmtime_says(name):
    body = GOOD[name] if name in GOOD else BAD[name][0]
    made = Made(
        invoke=body,
        types=TYPES,
        tables=b"\1\x70\0\1",
        globals=b"\2\x7f\1\x41\0\x0b\x7f\0\x41\0\x0b",
    )
    assert is_valid(made.bytes()) >= (name in GOOD)
