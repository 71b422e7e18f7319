"""Weights for the build for interpreters: docs/reference/plan.md, layouts 64 to 95."""

import numpy as np
from numpy.typing import NDArray

from toolchain.lowering.product import Packed, Product

FIELDS = 3
"""In a word."""
WORDS = 4
"""Most that are multiplied with one weight."""
STACK_BYTES = 6144
"""What a kernel has without asking for scratch."""
UNITS = 8
"""Whose weights a word of FULLY_CONNECTED holds."""
MAX_DEPTH = 32768
"""Of FULLY_CONNECTED, so that sums of bytes and int8 fit in int32."""
LARGEST_SUM = ((1 << 20) - 1) // 128
"""Of the sizes of weights, so that their products with any int8 fit in 21 bits."""
UNROLLED = 8
"""Products in one turn of the inner loop."""


def pack_conv(product: Product) -> Packed:
    """CONV_2D: the model's weights behind the number of products that fit in a field."""
    weights, window = product.weights, product.window
    assert window is not None
    rows = weights.reshape(weights.shape[0], -1)
    header = np.array([terms_in_a_field(rows), 0, 0, 0], "<u4").view(np.int8)
    row = window.kernel_w * weights.shape[3]
    wanted = rows.shape[1] * WORDS * 8 + row * FIELDS
    return Packed(
        64,
        np.concatenate([header, weights.reshape(-1)]),
        _scratch(wanted),
    )


def pack_depthwise(product: Product) -> Packed:
    """DEPTHWISE_CONV_2D: the model's weights, and room for a plane of three packed bands."""
    window = product.window
    assert window is not None
    _, rows, columns, _ = product.output_shape
    height = (-(-rows // FIELDS) - 1) * window.stride_h
    height += (window.kernel_h - 1) * window.dilation_h + 1
    width = (columns - 1) * window.stride_w + (window.kernel_w - 1) * window.dilation_w + 1
    return Packed(64, product.weights, _scratch(height * width * 8))


def pack_fully_connected(product: Product) -> Packed | None:
    """FULLY_CONNECTED: weights plus 128, eight units' side by side for each input."""
    units, depth = product.weights.shape
    if units < UNITS or depth > MAX_DEPTH:
        return None
    blocks = -(-units // UNITS)
    rows = np.zeros((blocks * UNITS, depth), np.uint8)
    rows[:units] = product.weights.view(np.uint8) ^ 0x80
    return Packed(64, rows.reshape(blocks, UNITS, depth).transpose(0, 2, 1).reshape(-1))


def _scratch(wanted_bytes: int) -> int:
    return wanted_bytes if wanted_bytes > STACK_BYTES else 0


def terms_in_a_field(rows: NDArray[np.int8]) -> int:
    """How many neighbouring products of each row, taken together, surely fit in a field.

    Args:
        rows: int8 [outputs, terms]; inputs are any int8.
    """
    sizes = np.abs(rows.astype(np.int64))
    terms = int(rows.shape[1])
    largest = int(sizes.sum(axis=1).max())
    while True:
        chunks = -(-largest // LARGEST_SUM)
        length = -(-terms // max(1, chunks))
        length = min(terms, -(-length // UNROLLED) * UNROLLED)
        starts = np.arange(0, terms, length)
        largest_run = int(np.add.reduceat(sizes, starts, axis=1).max())
        if largest_run <= LARGEST_SUM:
            return length
        largest += LARGEST_SUM
