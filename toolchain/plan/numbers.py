"""The numbers of the plan format; `engine/include/selvedge/plan.h` has the same."""

from enum import IntEnum

MAGIC = b"SVPL"
VERSION = 1
ALIGNMENT_BYTES = 16
MAX_RANK = 6
UINT8_OUTSIDE = 1
VARIABLE = 2


class Rounding(IntEnum):
    """How often a requantization rounds: DOUBLE as TFLite Micro, SINGLE once as XNNPACK."""

    DOUBLE = 0
    SINGLE = 1


class Target(IntEnum):
    """The build of the engine that the constants are packed for."""

    PORTABLE = 0
    SWAR = 1
    SIMD128 = 2
    CORTEX_M = 3


class Place(IntEnum):
    """What a tensor's offset counts from."""

    ARENA = 0
    CONSTANTS = 1


class Opcode(IntEnum):
    """An operator together with its element types."""

    CONV_2D_S8 = 1
    DEPTHWISE_CONV_2D_S8 = 2
    FULLY_CONNECTED_S8 = 3
    ADD_S8 = 4
    AVERAGE_POOL_2D_S8 = 5
    MAX_POOL_2D_S8 = 6
    SOFTMAX_S8 = 7
    TABLE_S8 = 8
    MUL_S8 = 9
    MEAN_S8 = 10
    PAD = 11
    CONCATENATION = 12
    QUANTIZE_F32_S8 = 13
    DEQUANTIZE_S8_F32 = 14
    STRIDED_COPY = 15
    RESIZE_NEAREST = 17
    RESIZE_BILINEAR_S8 = 18
    CONV_2D_F32 = 32
    DEPTHWISE_CONV_2D_F32 = 33
    FULLY_CONNECTED_F32 = 34
    ADD_F32 = 35
    MUL_F32 = 36
    AVERAGE_POOL_2D_F32 = 37
    MAX_POOL_2D_F32 = 38
    SOFTMAX_F32 = 39
    MEAN_F32 = 40
    UNARY_F32 = 41
    RESIZE_BILINEAR_F32 = 42
    CONV_2D_S16 = 64
    DEPTHWISE_CONV_2D_S16 = 65
    FULLY_CONNECTED_S16 = 66
    ADD_S16 = 67
    AVERAGE_POOL_2D_S16 = 68
    MAX_POOL_2D_S16 = 69
    SOFTMAX_S16 = 70
    QUANTIZE_F32_S16 = 71
    DEQUANTIZE_S16_F32 = 72
    MUL_S16 = 73
    SIGMOID_S16 = 74
    MEAN_S16 = 75


class Function(IntEnum):
    """What UNARY_F32 and SIGMOID_S16 compute of each element."""

    CLAMP = 0
    LEAKY_RELU = 1
    LOGISTIC = 2
    TANH = 3
    HARD_SWISH = 4


class Status(IntEnum):
    """What the engine answers; `engine/include/selvedge/status.h` has the same."""

    OK = 0
    BAD_ARGUMENT = 1
    NOT_A_PLAN = 2
    TRUNCATED = 3
    CORRUPT = 4
    BAD_HEADER = 5
    ARENA_TOO_SMALL = 6
    BAD_TENSOR = 7
    UNKNOWN_OPERATOR = 8
    BAD_OPERATOR = 9
    BAD_SHAPE = 10
    BAD_PARAMETER = 11
    OVERLAP = 12
