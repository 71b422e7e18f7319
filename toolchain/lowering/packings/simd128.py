"""Weights for the kernels of `engine/kernels/simd128`.

Eight output channels lie beside each other, and of each two weights that are multiplied at once:
`i32x4.dot_i16x8_s` then sums for four channels without adding lanes. docs/reference/plan.md has
the layouts byte by byte.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.lowering.product import Packed, Product

BLOCK = 8
CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, DEPTHWISE_3X3 = 32, 33, 34, 35
ROWS = 4
STACK_DEPTH = 768
MAX_TAPS = 128
PAIRS_3X3 = (0, 3, 1, 4, 2, 5, 9, 6, 7, 8)
"""The two upper rows of each column, nothing and the first of the last row, its others."""
LEAST_WIDTH_3X3 = 6
"""Rows of fewer outputs gain nothing from a kernel that walks along them."""


def convolution(product: Product) -> Packed | None:
    """CONV_2D in one group."""
    outputs, *window = product.weights.shape
    if product.weight_zero_point or product.input_shape[3] != window[2]:
        return None
    return _rows(CONV_2D, product.weights.reshape(outputs, -1))


def fully_connected(product: Product) -> Packed | None:
    """FULLY_CONNECTED."""
    return None if product.weight_zero_point else _rows(FULLY_CONNECTED, product.weights)


def depthwise(product: Product) -> Packed | None:
    """DEPTHWISE_CONV_2D with one output channel for each input channel, and at least a block."""
    _, height, width, outputs = product.weights.shape
    taps = height * width
    is_plain = product.input_shape[3] == outputs >= BLOCK and taps <= MAX_TAPS
    if product.weight_zero_point or not is_plain:
        return None
    weights = _padded(product.weights.reshape(taps, outputs), 0, 2)
    is_row = _is_row_of_3x3(product)
    if is_row:
        weights = weights[list(PAIRS_3X3)]
    starts = [min(first, outputs - BLOCK) for first in range(0, outputs, BLOCK)]
    blocks = np.stack([weights[:, first : first + BLOCK] for first in starts])
    layout = DEPTHWISE_3X3 if is_row else DEPTHWISE_CONV_2D
    return Packed(layout, _in_pairs(blocks.transpose(0, 2, 1)))


def _is_row_of_3x3(product: Product) -> bool:
    """Whether the kernel for such windows takes it, and is the faster one."""
    window = product.window
    assert window is not None
    sizes = (window.kernel_h, window.kernel_w, window.dilation_h, window.dilation_w)
    is_taken = sizes == (3, 3, 1, 1) and window.stride_w <= 2 and window.pad_left <= 1
    return is_taken and product.output_shape[2] >= LEAST_WIDTH_3X3


def _rows(layout: int, weights: NDArray[Any]) -> Packed:
    """Pack [out, depth]; rows of inputs that are too long for the stack want scratch."""
    weights = _padded(_padded(weights, 0, BLOCK), 1, BLOCK)
    depth = weights.shape[1]
    scratch_bytes = 3 * ROWS * depth + 16 if depth > STACK_DEPTH else 0
    return Packed(layout, _in_pairs(weights.reshape(-1, BLOCK, depth)), scratch_bytes)


def _in_pairs(blocks: NDArray[Any]) -> NDArray[Any]:
    """[block, channel, depth] to [block, depth / 2, channel, 2]."""
    count, channels, depth = blocks.shape
    pairs = blocks.reshape(count, channels, depth // 2, 2).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(pairs)


def _padded(weights: NDArray[Any], axis: int, multiple: int) -> NDArray[Any]:
    """Zeros behind one axis, up to a multiple."""
    missing = -weights.shape[axis] % multiple
    return np.pad(weights, [(0, missing if d == axis else 0) for d in range(weights.ndim)])
