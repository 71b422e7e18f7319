"""What is lowered by which function where the input is float32."""

from collections.abc import Callable

from toolchain.lowering.node import Step
from toolchain.lowering.operators import (
    arithmetic_f32,
    convolution_f32,
    elementwise_f32,
    fully_connected_f32,
    mean_f32,
    pooling_f32,
    resize_bilinear_f32,
)
from toolchain.lowering.site import Site
from toolchain.tflite.dtype import DType

Lowering = Callable[[Site], Step | tuple[Step, ...]]

FLOAT_LOWERINGS: dict[str, Lowering] = {
    "ADD": arithmetic_f32.lower_add,
    "AVERAGE_POOL_2D": pooling_f32.lower_average,
    "CONV_2D": convolution_f32.lower_conv,
    "DEPTHWISE_CONV_2D": convolution_f32.lower_depthwise,
    "FULLY_CONNECTED": fully_connected_f32.lower,
    "HARD_SWISH": elementwise_f32.lower_hard_swish,
    "LEAKY_RELU": elementwise_f32.lower_leaky_relu,
    "LOGISTIC": elementwise_f32.lower_logistic,
    "MAX_POOL_2D": pooling_f32.lower_max,
    "MEAN": mean_f32.lower,
    "MUL": arithmetic_f32.lower_mul,
    "RELU": elementwise_f32.lower_relu,
    "RELU6": elementwise_f32.lower_relu6,
    "RELU_N1_TO_1": elementwise_f32.lower_relu_n1_to_1,
    "RESIZE_BILINEAR": resize_bilinear_f32.lower,
    "SOFTMAX": elementwise_f32.lower_softmax,
    "SUB": arithmetic_f32.lower_sub,
    "SUM": mean_f32.lower_sum,
    "TANH": elementwise_f32.lower_tanh,
}


def is_float32(site: Site) -> bool:
    """Whether the first input is float32."""
    index = site.index(0)
    return index is not None and site.graph.tensors[index].dtype is DType.FLOAT32
