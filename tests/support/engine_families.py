"""All families of random one-operator models by name, and the interpreter that each is held to."""

from collections.abc import Callable
from functools import partial

from tests.support import engine_cases
from tests.support.engine import Lite, Micro
from tests.support.engine_cases import Case
from tests.support.engine_cases_s16 import INT16_FAMILIES, case_s16
from tests.support.engine_cases_shapes import MOVING, shape_case
from tests.support.engine_cases_tables import TABLES

FAMILIES: dict[str, Callable[[int], Case]] = {
    **{name: partial(engine_cases.case, name) for name in engine_cases.FAMILIES},
    **{name: partial(shape_case, name) for name in MOVING},
    **{name: partial(engine_cases.one_operator, make, name) for name, make in TABLES.items()},
    **{f"{name}_s16": partial(case_s16, name) for name in INT16_FAMILIES},
}

INT16 = frozenset(f"{name}_s16" for name in INT16_FAMILIES)
"""Families with int16 activations."""

ROUNDED = frozenset(engine_cases.FAMILIES) | frozenset(TABLES)
"""Families whose single rounding is that of LiteRT's default kernels, as tested."""

LITE_ONLY = frozenset({"relu_n1_to_1", "transpose"})
"""Families that TFLite Micro lacks; LiteRT's reference kernels are asked instead."""


def reference(family: str) -> type[Micro | Lite]:
    """The interpreter whose bytes the engine must give."""
    return Lite if family in LITE_ONLY else Micro
