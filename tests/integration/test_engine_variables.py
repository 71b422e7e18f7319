"""Models with variables give the reference interpreters' bytes, run after run and after a reset."""

from dataclasses import replace

import pytest

from tests.support.engine import Lite, Micro, difference, engine_of
from tests.support.engine_cases_state import STREAMS, ring, tangle
from tests.support.engine_compare import compare_streams
from tests.support.wasm_modules import RUNTIMES, Loaded, module_of
from toolchain.plan.numbers import Opcode
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write

CASES = 60


@pytest.mark.parametrize("reference", [Micro, Lite])
@pytest.mark.parametrize("family", sorted(STREAMS))
def test_every_run_equals_the_reference(family, reference):
    cases, values = compare_streams(family, range(CASES), reference)
    print(f"\n{family}: 0 of {values} values differ, {cases} models")


def test_variables_that_nobody_set_start_at_their_zero_point():
    """As in TFLite Micro, which makes room for those only that are assigned."""
    compared = 0
    for seed in range(CASES):
        made = tangle(seed)
        model = read(made.model)
        operators = tuple(one for one in model.main.operators if one.name != "CALL_ONCE")
        read_, assigned = (
            {one.inputs[0] for one in operators if one.name == name}
            for name in ("READ_VARIABLE", "ASSIGN_VARIABLE")
        )
        if read_ <= assigned:
            data = write(replace(model, graphs=(replace(model.main, operators=operators),)))
            engine, micro = engine_of(data), Micro(data)
            for inputs in made.runs:
                assert difference(engine.run(inputs), micro.run(inputs)) == 0, f"seed {seed}"
            compared += 1
    assert compared >= 20


def test_a_ring_buffer_is_not_copied():
    for seed in range(20):
        plan = engine_of(ring(seed).model).plan
        moved = [one for one in plan.operators[plan.resets :] if one.opcode is Opcode.STRIDED_COPY]
        assert len(moved) == 1  # what stays is moved up by the slice itself
        assert [tensor.is_variable for tensor in plan.tensors].count(True) == 1


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda one: one.name)
def test_a_module_keeps_its_variables_and_resets_them(runtime):
    for seed in range(3):
        made = tangle(seed)
        engine, wasm = engine_of(made.model), Loaded(runtime(module_of(made.model)))
        first = [engine.run(inputs) for inputs in made.runs]
        for _ in range(2):
            for inputs, outputs in zip(made.runs, first, strict=True):
                assert difference(wasm.run(inputs), outputs) == 0
            assert wasm.host.call("sv_reset") == 0
