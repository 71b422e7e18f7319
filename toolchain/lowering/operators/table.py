"""What is lowered by which function."""

from collections.abc import Callable

from toolchain.lowering.node import Step
from toolchain.lowering.operators import arithmetic, convolution, fully_connected, pooling, softmax
from toolchain.lowering.site import Site

LOWERINGS: dict[str, Callable[[Site], Step]] = {
    "ADD": arithmetic.lower_add,
    "AVERAGE_POOL_2D": pooling.lower_average,
    "CONV_2D": convolution.lower_conv,
    "DEPTHWISE_CONV_2D": convolution.lower_depthwise,
    "FULLY_CONNECTED": fully_connected.lower,
    "MAX_POOL_2D": pooling.lower_max,
    "MUL": arithmetic.lower_mul,
    "SOFTMAX": softmax.lower,
    "SUB": arithmetic.lower_sub,
}
