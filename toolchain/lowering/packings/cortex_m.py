"""Weights and scaling for the kernels of `engine/kernels/cortex_m`.

Weights stay bytes, four terms to a word, so that `SXTB16` of the word and of the word turned by
eight bits gives pairs for `SMLAD`. Biases, multipliers and shifts lie together. The layouts stand
in docs/reference/plan.md. Whatever a kernel's shorter arithmetic would not compute exactly is left
to the portable kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.lowering.fixed_point import mbqm
from toolchain.lowering.output_stage import MAX_TERMS, StageNumbers
from toolchain.lowering.product import Packed, Product
from toolchain.plan.numbers import Rounding
from toolchain.plan.parameters import Add

CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, ADD = 128, 129, 130, 131
PIXELS = 3
"""That one walk over the weights of CONV_2D serves."""
WORD, TURN = 4, 8
"""Terms in a word of weights, and in one turn of the inner loop."""
STACK_BYTES = 928
"""What CONV_2D has without asking for scratch."""
LINE_BYTES = 256
"""What DEPTHWISE_CONV_2D has for a line of zero points."""
MAX_TAPS = 32
MAX_COPIED = 512
"""Inputs of FULLY_CONNECTED that are copied, where their number is no multiple of a turn."""

TABLE_BYTES = 2 * 4 * 256
MIN_SUMS = 256
"""Fewer ADDs are not worth the two tables."""
MAX_RIGHT_SHIFT = 22


def convolution(product: Product) -> Packed | None:
    """CONV_2D in one group: two output channels beside each other, in words of four terms."""
    weights, window = product.weights, product.window
    assert window is not None
    outputs, height, width, depth = weights.shape
    if product.input_shape[3] != depth:
        return None
    scaling = _scaling(product, weights.reshape(outputs, -1), 2, bits=30)
    if scaling is None:
        return None
    rows = _padded(weights.reshape(outputs, height, width * depth), 2, WORD)
    row_bytes = rows.shape[2]
    rows = _padded(_padded(rows.reshape(outputs, -1), 1, TURN), 0, 2)
    terms = rows.shape[1]
    if terms > MAX_TERMS:
        return None
    wanted = 2 * PIXELS * terms + row_bytes
    return Packed(
        CONV_2D,
        _in_words(rows, 2),
        wanted if wanted > STACK_BYTES else 0,
        scaling,
    )


def depthwise(product: Product) -> Packed | None:
    """DEPTHWISE_CONV_2D: four channels, and of each the int16 weights of two taps."""
    _, height, width, outputs = product.weights.shape
    taps = height * width
    if product.input_shape[3] != outputs or outputs < WORD or taps > MAX_TAPS:
        return None
    rows = product.weights.reshape(taps, outputs)
    # The last four may have been among the four before.
    order = [min(first, outputs - WORD) + i for first in range(0, outputs, WORD) for i in range(4)]
    scaling = _scaling(product, rows.T, WORD, bits=30, order=order)
    if scaling is None:
        return None
    pairs = _padded(rows, 0, 2)[:, order].reshape(-1, 2, len(order) // WORD, WORD)
    return Packed(
        DEPTHWISE_CONV_2D,
        np.ascontiguousarray(pairs.transpose(2, 0, 3, 1)).astype("<i2"),
        outputs if outputs > LINE_BYTES else 0,
        scaling,
    )


def fully_connected(product: Product) -> Packed | None:
    """FULLY_CONNECTED: four units beside each other, in words of two pairs.

    A pair (a, b) is the int16 number 256 b + a. Times the second input y this is 256 b y + a y; the
    kernel adds a times 256 x - y + 127, which for all int8 x and y just fits in int16. That makes
    256 times the sum of products, and 127 a too much, which the bias takes away.
    """
    depth = product.weights.shape[1]
    if depth % TURN and depth > MAX_COPIED:
        return None
    weights = product.weights.astype(np.int16)
    firsts = _padded(weights, 1, TURN)[:, 0::2]
    pairs = 256 * _padded(weights, 1, TURN)[:, 1::2].astype(np.int32) + firsts
    if pairs.size and pairs.min() < -(1 << 15):
        return None
    surplus = 127 * firsts.astype(np.int64).sum(axis=1)
    scaling = _scaling(product, product.weights, WORD, bits=23, factor=256, less=surplus)
    if scaling is None:
        return None
    rows = _padded(pairs.astype("<i2").view(np.int8), 0, WORD)
    return Packed(FULLY_CONNECTED, _in_words(rows, WORD), 0, scaling)


def add(record: Add, shapes: Sequence[tuple[int, ...]]) -> tuple[int, int]:
    """ADD and SUB of tensors of one shape: layout, and scratch for two tables."""
    is_fit = (
        len(set(shapes)) == 1
        and prod(shapes[0]) >= MIN_SUMS
        and 1 <= -record.output_shift <= MAX_RIGHT_SHIFT
        and record.output_multiplier >= 1 << 30
    )
    return (ADD, TABLE_BYTES) if is_fit else (0, 0)


def _scaling(
    product: Product,
    rows: NDArray[np.int8],
    block: int,
    *,
    bits: int,
    order: list[int] | None = None,
    factor: int = 1,
    less: NDArray[np.int64] | int = 0,
) -> NDArray[Any] | None:
    """Biases of a block of channels, then of each twice its multiplier and its shift less one.

    None where sums do not surely fit in so many bits and a sign, a multiplier is not normalized, or
    a factor is not below one half: the kernels scale by `(y + half - [y < 0]) >> right`.

    Args:
        rows: weights [channel, term].
    """
    stage = product.stage
    if stage is None or stage.rounding is not Rounding.DOUBLE or product.weight_zero_point:
        return None
    zero_point = product.output_zero_point
    scaling = _simple_constants(stage, rows, zero_point)
    wide = rows.astype(np.int64)
    highest = scaling.bias + np.maximum(127 * wide, -128 * wide).sum(axis=1)
    lowest = scaling.bias + np.minimum(127 * wide, -128 * wide).sum(axis=1)
    bias = factor * scaling.bias - less
    if (
        max(highest.max(), -lowest.min()) >= 1 << bits
        or np.abs(bias).max() >= 1 << 31
        or scaling.multiplier.min() < 1 << 30
        or scaling.right.min() < 1
        or (abs(2 * zero_point + 1) << int(scaling.right.max() - 1)) >= 1 << 30
    ):
        return None
    doubled = 2 * scaling.multiplier - (1 << 32)
    columns = np.stack([bias, doubled, scaling.right - 1]).astype("<i4")
    columns = columns[:, order] if order else _padded(columns, 1, block)
    blocks = columns.reshape(3, -1, block)
    scales = blocks[1:].transpose(1, 2, 0).reshape(-1, 2 * block)
    return np.ascontiguousarray(np.concatenate([blocks[0], scales], axis=1))


@dataclass(frozen=True, slots=True)
class _Scaling:
    """int64 a channel; `right` is how far is shifted."""

    bias: NDArray[np.int64]
    multiplier: NDArray[np.int64]
    right: NDArray[np.int64]


def _simple_constants(stage: StageNumbers, rows: NDArray[np.int8], zero_point: int) -> _Scaling:
    """The stage; channels without weights, whose biases and shifts may be anything, made simple.

    4 x times 1/4 is x, whatever the rounding.
    """
    bias = stage.bias.copy()
    multiplier = stage.multiplier.astype(np.int64)
    right = -stage.shift.astype(np.int64)
    for channel in np.flatnonzero(~rows.any(axis=1)):
        exact = mbqm(int(bias[channel]), int(multiplier[channel]), -int(right[channel]))
        bias[channel] = 4 * (min(max(exact + zero_point, -128), 127) - zero_point)
        multiplier[channel], right[channel] = 1 << 30, 1
    return _Scaling(bias, multiplier, right)


def _in_words(rows: NDArray[Any], block: int) -> NDArray[Any]:
    """[row, byte] to [row / block, byte / 4, block, 4]."""
    count, size = rows.shape
    blocks = rows.reshape(count // block, block, size // WORD, WORD)
    return np.ascontiguousarray(blocks.transpose(0, 2, 1, 3))


def _padded(values: NDArray[Any], axis: int, multiple: int) -> NDArray[Any]:
    """Zeros behind one axis, up to a multiple."""
    missing = -values.shape[axis] % multiple
    return np.pad(values, [(0, missing if d == axis else 0) for d in range(values.ndim)])
