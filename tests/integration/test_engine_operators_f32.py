"""Each float32 operator, alone and in random shapes, against LiteRT's reference kernels."""

import pytest

from tests.support.engine import Lite, difference, engine_of
from tests.support.engine_cases_f32 import FLOAT_FAMILIES, surrounded_f32
from tests.support.engine_compare import fuzz
from tests.support.engine_compare_f32 import compare_f32
from tests.support.engine_seeds import float_plans
from toolchain.plan.numbers import Status

CASES = 30


@pytest.mark.parametrize("family", sorted(FLOAT_FAMILIES))
def test_the_engine_equals_litert(family):
    cases, values, differing = compare_f32(family, range(CASES))
    print(f"\n{family}: {differing} of {values} values differ, {cases} cases")


@pytest.mark.parametrize("family", ["conv", "depthwise"])
def test_what_is_folded_into_a_convolution_changes_nothing(family):
    for seed in range(CASES):
        made = surrounded_f32(family, seed)
        engine = engine_of(made.model)
        assert len(engine.plan.operators) == 1
        assert difference(engine.run(made.inputs), Lite(made.model).run(made.inputs)) == 0


def test_mutated_float_plans_are_refused_or_run_clean(tmp_path):
    answers = fuzz(tmp_path, seed=1, count=20_000, plans=float_plans)
    print(f"\n{ ({status.name: count for status, count in answers.items()}) }")
    assert answers[Status.OK] > 400
