"""Each operator, alone and in random shapes, gives the bytes of the reference interpreters."""

import pytest

from tests.support.engine import Lite, difference, engine_of
from tests.support.engine_cases import FAMILIES, case
from tests.support.engine_compare import compare
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Rounding

CASES = 60


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_double_rounding_equals_tflite_micro(family):
    cases, values = compare(family, range(CASES))
    print(f"\n{family}: 0 of {values} values differ, {cases} cases")


def test_single_rounding_equals_litert_where_it_rounds_once():
    """LiteRT's reference FULLY_CONNECTED is built with single rounding."""
    changed = 0
    for seed in range(CASES):
        made = case("fully_connected", seed)
        once = engine_of(made.model, Settings(Rounding.SINGLE)).run(made.inputs)
        assert difference(once, Lite(made.model).run(made.inputs)) == 0, f"seed {seed}"
        changed += difference(once, engine_of(made.model).run(made.inputs))
    assert changed > 0, "both roundings agree everywhere: the cases say nothing"
