"""Each operator, alone and in random shapes, gives the bytes of the reference interpreters."""

import numpy as np
import pytest

from tests.support.engine import Lite, Micro, difference, engine_of
from tests.support.engine_cases import case, is_int8, is_per_tensor, older, surrounded
from tests.support.engine_compare import compare
from tests.support.engine_families import FAMILIES, INT16, ROUNDED
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Rounding

CASES = 60
ALWAYS_INT8 = {"dequantize", "quantize", "resize_bilinear"}
"""Families of other types, or with arithmetic of its own for uint8."""
OLDER = sorted(FAMILIES.keys() - ALWAYS_INT8 - INT16)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_double_rounding_equals_the_reference(family):
    cases, values = compare(family, range(CASES))
    print(f"\n{family}: 0 of {values} values differ, {cases} cases")


@pytest.mark.parametrize("family", ["conv", "depthwise"])
def test_what_is_folded_into_a_convolution_changes_nothing(family):
    for seed in range(CASES):
        made = surrounded(case(family, seed), seed)
        engine = engine_of(made.model)
        assert len(engine.plan.operators) == 1
        theirs = Micro(made.model).run(made.inputs)
        assert difference(engine.run(made.inputs), theirs) == 0, f"{family}, seed {seed}"


@pytest.mark.parametrize("family", OLDER)
def test_uint8_models_equal_litert(family):
    """Single rounding equals the default kernels, double the reference ones; but the reference
    FULLY_CONNECTED rounds once and halves up."""
    settings = {True: Settings(Rounding.DOUBLE), False: Settings(Rounding.SINGLE)}
    kernels = {False, family != "fully_connected"} if family in ROUNDED else {True}
    compared = 0
    for seed in range(2 * CASES):
        made = FAMILIES[family](seed)
        if is_per_tensor(made) and is_int8(made):
            made = older(made, seed)
            for is_reference in kernels:
                theirs = Lite(made.model, reference=is_reference).run(made.inputs)
                assert theirs[0].dtype == np.uint8
                mine = engine_of(made.model, settings[is_reference]).run(made.inputs)
                assert difference(mine, theirs) == 0, f"{family}, seed {seed}"
            compared += 1
    assert compared >= 20
