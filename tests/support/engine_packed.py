"""Cases for builds that pack: against the portable build, which the reference vouches for."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tests.support.engine import difference, engine_of
from tests.support.engine_cases import (
    ACTIVATIONS,
    Case,
    activation,
    bias,
    binary,
    case,
    conv,
    depthwise,
    fully_connected,
    is_per_tensor,
    length,
    older,
    one_operator,
    quantized,
    spread,
    weights,
)
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Rounding, Target
from toolchain.tflite.options import Add, DepthwiseConv2D, Sub
from toolchain.tflite.reader import read
from toolchain.tflite.slots import Padding
from toolchain.tflite.writer import write


def depthwise_3x3(rng: np.random.Generator) -> Any:
    """A DEPTHWISE_CONV_2D with windows of 3×3, some in two images, with rows of up to 40."""
    channels, stride = length(rng, 40) + 7, (length(rng, 3), length(rng, 2))
    shape = (length(rng, 2), length(rng, 9), length(rng, 40), channels)
    padding = Padding(int(rng.integers(2))) if min(shape[1:3]) >= 3 else Padding.SAME
    least = 0 if padding is Padding.SAME else 2
    size = [-(-(have - least) // step) for have, step in zip(shape[1:3], stride, strict=True)]
    source = activation("x", shape, quantized(rng))
    weight = weights(rng, (1, 3, 3, channels), 3, per_channel=True)
    target = activation("y", (shape[0], *size, channels), spread(rng, source, weight, 9))
    options = DepthwiseConv2D(padding, stride_h=stride[0], stride_w=stride[1], depth_multiplier=1)
    options = replace(options, activation=ACTIVATIONS[int(rng.integers(4))])
    tensors = [source, weight, bias(rng, source, weight, 9, channels), target]
    return tensors, "DEPTHWISE_CONV_2D", options, 3


WIDE: dict[str, Callable[[Any], Any]] = {
    "wide_add": binary("ADD", Add, most=20),
    "wide_sub": binary("SUB", Sub, most=20),
    "wide_conv": partial(conv, most=150),
    "depthwise_3x3": depthwise_3x3,
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
