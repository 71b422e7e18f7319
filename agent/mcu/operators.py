"""The operators of a plan by name (docs/reference/plan.md)."""

import struct

from agent.errors import ModelError

NAMES = {
    1: "CONV_2D_S8",
    2: "DEPTHWISE_CONV_2D_S8",
    3: "FULLY_CONNECTED_S8",
    4: "ADD_S8",
    5: "AVERAGE_POOL_2D_S8",
    6: "MAX_POOL_2D_S8",
    7: "SOFTMAX_S8",
    8: "TABLE_S8",
    9: "MUL_S8",
    10: "MEAN_S8",
    11: "PAD",
    12: "CONCATENATION",
    13: "QUANTIZE_F32_S8",
    14: "DEQUANTIZE_S8_F32",
    15: "STRIDED_COPY",
    17: "RESIZE_NEAREST",
    18: "RESIZE_BILINEAR_S8",
    32: "CONV_2D_F32",
    33: "DEPTHWISE_CONV_2D_F32",
    34: "FULLY_CONNECTED_F32",
    35: "ADD_F32",
    36: "MUL_F32",
    37: "AVERAGE_POOL_2D_F32",
    38: "MAX_POOL_2D_F32",
    39: "SOFTMAX_F32",
    40: "MEAN_F32",
    41: "UNARY_F32",
    42: "RESIZE_BILINEAR_F32",
    64: "CONV_2D_S16",
    65: "DEPTHWISE_CONV_2D_S16",
    66: "FULLY_CONNECTED_S16",
    67: "ADD_S16",
    68: "AVERAGE_POOL_2D_S16",
    69: "MAX_POOL_2D_S16",
    70: "SOFTMAX_S16",
    71: "QUANTIZE_F32_S16",
    72: "DEQUANTIZE_S16_F32",
    73: "MUL_S16",
    74: "SIGMOID_S16",
    75: "MEAN_S16",
}
_RECORD_BYTES = 24


def operators(plan: bytes) -> tuple[str, ...]:
    """Name the operators in their order; one that is not known by its number.

    Raises:
        ModelError: the table leads outside the plan.
    """
    if len(plan) < 64:
        raise ModelError("is a truncated plan; copy it again")
    (count,) = struct.unpack_from("<H", plan, 22)
    (start,) = struct.unpack_from("<I", plan, 36)
    if start + count * _RECORD_BYTES > len(plan):
        raise ModelError(f"is a damaged plan: {count} operators at byte {start}; copy it again")
    codes = (struct.unpack_from("<H", plan, start + i * _RECORD_BYTES)[0] for i in range(count))
    return tuple(NAMES.get(code, f"operator {code}") for code in codes)
