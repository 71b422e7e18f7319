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
    pooling,
    softmax,
    tables,
)
from toolchain.lowering.site import Site

LOWERINGS: dict[str, Callable[[Site], Step]] = {
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
    "PAD": joining.lower_pad,
    "PADV2": joining.lower_pad,
    "QUANTIZE": borders.lower_quantize,
    "RELU": tables.lower_relu,
    "RELU6": tables.lower_relu6,
    "SOFTMAX": softmax.lower,
    "SUB": arithmetic.lower_sub,
}
