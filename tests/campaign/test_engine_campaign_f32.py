"""Float32 operators at length: random models, many floats; counts are printed."""

import pytest

from tests.support.engine_cases_f32 import FLOAT_FAMILIES
from tests.support.engine_compare_f32 import EXPONENTIALS, compare_f32, worst_of_all


@pytest.mark.parametrize("family", sorted(FLOAT_FAMILIES))
def test_operator(family):
    cases, values, differing = compare_f32(family, range(1_000, 2_250))
    print(f"\n{family}: {differing} of {values} values differ, {cases} cases, seeds 1000-2249")


@pytest.mark.parametrize("family", ["logistic", "tanh"])
def test_function(family):
    count, worst = worst_of_all(family, stride=61)
    print(f"\n{family}: {worst:.2f} units in the last place at most, {count} values")
    assert worst <= EXPONENTIALS[family][1]
