"""The list of supported operators is what the lowering does, type by type."""

import pytest

from tests.support.engine_cases_shapes import MOVING, NUMPY, shape_case
from tests.support.engine_families import FAMILIES
from toolchain.lowering.lower import lower
from toolchain.lowering.operators.supported import ANY_TYPE, STATE, supported
from toolchain.memory.lifetimes import ALIASES
from toolchain.tflite.dtype import DType
from toolchain.tflite.operator_codes import CODES
from toolchain.tflite.reader import read

BY_NAME = {one.name: one for one in supported()}


def test_every_name_is_one_of_the_schema():
    assert CODES.keys() >= BY_NAME.keys()


@pytest.mark.parametrize("dtype", NUMPY)
@pytest.mark.parametrize("family", sorted(MOVING))
def test_what_moves_elements_moves_any(family, dtype):
    model = read(shape_case(family, 1, dtype).model)
    lower(model)
    assert BY_NAME[model.main.operators[0].name].has[0]


def test_every_operator_of_a_family_is_listed_and_every_int8_operator_has_a_family():
    made = {}
    for family, make in FAMILIES.items():
        graph = read(make(0).model).main
        made.setdefault(graph.operators[0].name, set()).add(graph.tensors[0].dtype)
        assert graph.operators[0].name in BY_NAME, family
    int8 = {name for name, one in BY_NAME.items() if one.has[1]}
    unseen = int8 - made.keys() - STATE - ALIASES
    assert unseen == set()
    assert made.keys() >= ANY_TYPE
    assert DType.FLOAT32 in made["QUANTIZE"]
