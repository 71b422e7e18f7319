"""LOGISTIC and TANH of floats from everywhere: the errors that the engine's headers state."""

import numpy as np
import pytest

from tests.support.engine_compare_f32 import EXPONENTIALS, function_engine, worst_of_all


@pytest.mark.parametrize("family", ["logistic", "tanh"])
def test_a_sweep_of_all_floats_stays_within_the_error_told(family):
    count, worst = worst_of_all(family, stride=4099)
    print(f"\n{family}: {worst:.2f} units in the last place at most, {count} values")
    assert worst <= EXPONENTIALS[family][1]


@pytest.mark.parametrize("family", ["logistic", "tanh"])
def test_what_is_no_number_stays_none(family):
    values = np.array([np.nan, -np.nan, np.inf, -np.inf, 1e-45, -1e-45], np.float32)
    (found,) = function_engine(family, len(values)).run([values])
    assert np.isnan(found[:2]).all()
    limits = [1.0, 0.0] if family == "logistic" else [1.0, -1.0]
    assert found[2:4].tolist() == limits
