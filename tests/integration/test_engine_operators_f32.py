"""Each float32 operator, alone and in random shapes, against LiteRT's reference kernels."""

import pytest

from tests.support.engine_cases_f32 import FLOAT_FAMILIES
from tests.support.engine_compare_f32 import compare_f32, fuzz_f32
from toolchain.plan.numbers import Status

CASES = 30


@pytest.mark.parametrize("family", sorted(FLOAT_FAMILIES))
def test_the_engine_equals_litert(family):
    cases, values, differing = compare_f32(family, range(CASES))
    print(f"\n{family}: {differing} of {values} values differ, {cases} cases")


def test_mutated_float_plans_are_refused_or_run_clean(tmp_path):
    answers = fuzz_f32(tmp_path, seed=1, count=20_000)
    print(f"\n{ ({status.name: count for status, count in answers.items()}) }")
    assert answers[Status.OK] > 400
