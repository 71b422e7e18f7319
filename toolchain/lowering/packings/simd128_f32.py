"""Float32 weights for the kernels of `engine/kernels/simd128`."""

from math import prod

import numpy as np

from toolchain.lowering.product import Packed, Product

BLOCK, ROWS = 8, 4
CONV_2D = 96


def convolution(product: Product) -> Packed | None:
    """CONV_2D in one group with at least a block of output channels, as [blocks, terms, 8].

    The last block ends with the last channel, so that it may overlap the one before. Windows of
    more than one pixel want room for the rows that are gathered.
    """
    outputs, *window = product.weights.shape
    if outputs < BLOCK or product.input_shape[3] != window[2]:
        return None
    terms = prod(window)
    rows = product.weights.reshape(outputs, terms)
    starts = [min(first, outputs - BLOCK) for first in range(0, outputs, BLOCK)]
    blocks = np.stack([rows[first : first + BLOCK].T for first in starts])
    return Packed(CONV_2D, blocks, 0 if _is_pointwise(product) else ROWS * terms * 4)


def _is_pointwise(product: Product) -> bool:
    window = product.window
    assert window is not None
    return (
        (window.kernel_h, window.kernel_w, window.stride_h, window.stride_w) == (1, 1, 1, 1)
        and (window.pad_top, window.pad_left) == (0, 0)
        and product.input_shape[:3] == product.output_shape[:3]
    )
