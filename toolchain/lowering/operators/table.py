"""What is lowered by which function."""

from collections.abc import Callable

from toolchain.lowering.node import Step
from toolchain.lowering.operators import (
    arithmetic,
    borders,
    convolution,
    fully_connected,
    joining,
    mean,
    moving,
    pooling,
    softmax,
    tables,
)
from toolchain.lowering.site import Site

LOWERINGS: dict[str, Callable[[Site], Step | tuple[Step, ...]]] = {
    "ADD": arithmetic.lower_add,
    "AVERAGE_POOL_2D": pooling.lower_average,
    "CONCATENATION": joining.lower_concatenation,
    "CONV_2D": convolution.lower_conv,
    "DEPTHWISE_CONV_2D": convolution.lower_depthwise,
    "DEQUANTIZE": borders.lower_dequantize,
    "FULLY_CONNECTED": fully_connected.lower,
    "LOGISTIC": tables.lower_logistic,
    "MAX_POOL_2D": pooling.lower_max,
    "MEAN": mean.lower,
    "MUL": arithmetic.lower_mul,
    "PACK": joining.lower_pack,
    "PAD": joining.lower_pad,
    "PADV2": joining.lower_pad,
    "QUANTIZE": borders.lower_quantize,
    "RELU": tables.lower_relu,
    "RELU6": tables.lower_relu6,
    "SLICE": moving.lower_slice,
    "SOFTMAX": softmax.lower,
    "SPLIT": moving.lower_split,
    "SPLIT_V": moving.lower_split_v,
    "STRIDED_SLICE": moving.lower_strided_slice,
    "SUB": arithmetic.lower_sub,
    "TRANSPOSE": moving.lower_transpose,
    "UNPACK": moving.lower_unpack,
}
