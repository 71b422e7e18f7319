"""What is lowered by which function where the activations are int16."""

from collections.abc import Callable

from toolchain.lowering.node import Step
from toolchain.lowering.operators import (
    arithmetic_s16,
    borders_s16,
    convolution_s16,
    fully_connected_s16,
    mean_s16,
    pooling_s16,
    sigmoids_s16,
    softmax_s16,
)
from toolchain.lowering.site import Site
from toolchain.tflite.dtype import DType

INT16_LOWERINGS: dict[str, Callable[[Site], Step | tuple[Step, ...]]] = {
    "ADD": arithmetic_s16.lower_add,
    "AVERAGE_POOL_2D": pooling_s16.lower_average,
    "CONV_2D": convolution_s16.lower_conv,
    "DEPTHWISE_CONV_2D": convolution_s16.lower_depthwise,
    "DEQUANTIZE": borders_s16.lower_dequantize,
    "FULLY_CONNECTED": fully_connected_s16.lower,
    "LOGISTIC": sigmoids_s16.lower_logistic,
    "MAX_POOL_2D": pooling_s16.lower_max,
    "MEAN": mean_s16.lower,
    "MUL": arithmetic_s16.lower_mul,
    "QUANTIZE": borders_s16.lower_quantize,
    "SOFTMAX": softmax_s16.lower,
    "SUM": mean_s16.lower_sum,
    "SUB": arithmetic_s16.lower_sub,
    "TANH": sigmoids_s16.lower_tanh,
}


def is_int16(site: Site) -> bool:
    """Whether the first input is int16, or what a QUANTIZE makes."""
    operator = site.operator
    indices = operator.outputs if operator.name == "QUANTIZE" else operator.inputs
    return bool(indices) and site.graph.tensors[indices[0]].dtype is DType.INT16
