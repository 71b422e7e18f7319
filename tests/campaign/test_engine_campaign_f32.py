"""Float32 operators at length: random models, mutated plans, many floats; counts are printed."""

import pytest

from tests.support.engine_cases_f32 import FLOAT_FAMILIES
from tests.support.engine_compare_f32 import EXPONENTIALS, compare_f32, fuzz_f32, worst_of_all
from toolchain.plan.numbers import Status


@pytest.mark.parametrize("family", sorted(FLOAT_FAMILIES))
def test_operator(family):
    cases, values, differing = compare_f32(family, range(1_000, 2_250))
    print(f"\n{family}: {differing} of {values} values differ, {cases} cases, seeds 1000-2249")


@pytest.mark.parametrize("family", ["logistic", "tanh"])
def test_function(family):
    count, worst = worst_of_all(family, stride=61)
    print(f"\n{family}: {worst:.2f} units in the last place at most, {count} values")
    assert worst <= EXPONENTIALS[family][1]


@pytest.mark.parametrize("seed", range(4))
def test_mutated_plans(seed, tmp_path):
    answers = fuzz_f32(tmp_path, seed=1_000 + seed, count=50_000)
    print(f"\nseed {1_000 + seed}: { ({status.name: count for status, count in answers.items()}) }")
    assert answers[Status.OK] > 1_000
