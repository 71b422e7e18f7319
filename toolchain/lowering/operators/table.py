"""What is lowered by which function."""

from toolchain.lowering.operators import (
    arithmetic,
    borders,
    convolution,
    fully_connected,
    hard_swish,
    joining,
    mean,
    moving,
    pooling,
    resizing,
    sigmoids,
    softmax,
    tables,
)
from toolchain.lowering.operators.table_f32 import FLOAT_LOWERINGS, Lowering, is_float32
from toolchain.lowering.operators.table_s16 import INT16_LOWERINGS, is_int16
from toolchain.lowering.site import Site

LOWERINGS: dict[str, Lowering] = {
    "ADD": arithmetic.lower_add,
    "AVERAGE_POOL_2D": pooling.lower_average,
    "CONCATENATION": joining.lower_concatenation,
    "CONV_2D": convolution.lower_conv,
    "DEPTHWISE_CONV_2D": convolution.lower_depthwise,
    "DEQUANTIZE": borders.lower_dequantize,
    "FULLY_CONNECTED": fully_connected.lower,
    "HARD_SWISH": hard_swish.lower,
    "LEAKY_RELU": tables.lower_leaky_relu,
    "LOGISTIC": sigmoids.lower_logistic,
    "MAX_POOL_2D": pooling.lower_max,
    "MEAN": mean.lower,
    "MUL": arithmetic.lower_mul,
    "PACK": joining.lower_pack,
    "PAD": joining.lower_pad,
    "PADV2": joining.lower_pad,
    "QUANTIZE": borders.lower_quantize,
    "RELU": tables.lower_relu,
    "RELU6": tables.lower_relu6,
    "RELU_N1_TO_1": tables.lower_relu_n1_to_1,
    "RESIZE_BILINEAR": resizing.lower_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": resizing.lower_nearest,
    "SLICE": moving.lower_slice,
    "SOFTMAX": softmax.lower,
    "SPLIT": moving.lower_split,
    "SPLIT_V": moving.lower_split_v,
    "STRIDED_SLICE": moving.lower_strided_slice,
    "SUB": arithmetic.lower_sub,
    "SUM": mean.lower_sum,
    "TANH": sigmoids.lower_tanh,
    "TRANSPOSE": moving.lower_transpose,
    "UNPACK": moving.lower_unpack,
}


def lowering_of(site: Site) -> Lowering | None:
    """What lowers an operator, by its name and the type that it computes in."""
    of_floats = FLOAT_LOWERINGS.get(site.operator.name)
    if of_floats and is_float32(site):
        return of_floats
    of_int16 = INT16_LOWERINGS.get(site.operator.name)
    if of_int16 and is_int16(site):
        return of_int16
    return LOWERINGS.get(site.operator.name)
