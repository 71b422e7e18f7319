"""Cases for builds that pack: against the portable build, which the reference vouches for."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from tests.support.engine import difference, engine_of
from tests.support.engine_cases import (
    Case,
    binary,
    case,
    conv,
    depthwise,
    fully_connected,
    is_per_tensor,
    older,
    one_operator,
)
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Rounding, Target
from toolchain.tflite.options import Add, Sub
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write

WIDE: dict[str, Callable[[Any], Any]] = {
    "wide_add": binary("ADD", Add, most=20),
    "wide_sub": binary("SUB", Sub, most=20),
    "wide_conv": partial(conv, most=150),
    "wide_depthwise": partial(depthwise, most=300),
    "wide_fully_connected": partial(fully_connected, most=(9, 3000, 300)),
}
"""More channels than fill registers, or the memory that a kernel has on its stack."""


def against_portable(family: str, seeds: range, target: Target) -> tuple[int, int]:
    """Cases that the target's own kernels took, and values compared; fails where one differs.

    Some of the cases are of the older uint8 kind, and some have the largest sums of products.
    """
    taken = values = 0
    for seed in seeds:
        made = one_operator(WIDE[family], family, seed) if family in WIDE else case(family, seed)
        if seed % 3 == 0 and is_per_tensor(made):
            made = older(made, seed)
        if seed % 5 == 0:
            made = extreme(made)
        is_packed = False
        for rounding in Rounding:
            engine = engine_of(made.model, Settings(rounding, target))
            theirs = engine_of(made.model, Settings(rounding)).run(made.inputs)
            assert difference(engine.run(made.inputs), theirs) == 0, f"{family}, seed {seed}"
            values += theirs[0].size
            is_packed |= engine.plan.operators[0].layout != 0
        taken += is_packed
    return taken, values


def extreme(made: Case) -> Case:
    """The same model with all its weights -128, or what that is in uint8."""
    model = read(made.model)
    tensors = tuple(
        replace(one, data=bytes([0x80 if one.dtype.name == "INT8" else 0]) * len(one.data))
        if one.name == "w" and one.data is not None
        else one
        for one in model.main.tensors
    )
    graph = replace(model.main, tensors=tensors)
    return Case(write(replace(model, graphs=(graph,))), made.inputs)
