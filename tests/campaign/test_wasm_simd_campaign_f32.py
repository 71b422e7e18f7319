"""Float32 on the simd128 build at length; counts are printed."""

import pytest

from tests.support.engine_cases_f32 import SUMS
from tests.support.engine_compare_f32 import compare_simd_f32


@pytest.mark.parametrize("family", sorted(SUMS))
def test_operator(family):
    cases, values, differing = compare_simd_f32(family, range(1_000, 2_000))
    print(f"\n{family}: {differing} of {values} values differ by their order, {cases} cases")
