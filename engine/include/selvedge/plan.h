/* The plan, byte by byte, as it lies in memory; docs/reference/plan.md is the specification. */
#ifndef SELVEDGE_PLAN_H
#define SELVEDGE_PLAN_H

#include "selvedge/port.h"

enum { SV_PLAN_VERSION = 1, SV_PLAN_ALIGNMENT = 16, SV_MAX_RANK = 6 };

enum sv_rounding { SV_ROUND_DOUBLE = 0, SV_ROUND_SINGLE = 1 };

enum sv_target { SV_TARGET_PORTABLE = 0, SV_TARGET_SWAR = 1, SV_TARGET_SIMD128 = 2, SV_TARGET_CORTEX_M = 3 };

/* Numbers of the TFLite schema. */
enum sv_dtype { SV_FLOAT32 = 0, SV_INT32 = 2, SV_INT16 = 7, SV_INT8 = 9 };

enum sv_place { SV_IN_ARENA = 0, SV_IN_CONSTANTS = 1 };

enum sv_tensor_flag { SV_UINT8_OUTSIDE = 1, SV_VARIABLE = 2 };

enum sv_opcode {
    SV_CONV_2D_S8 = 1,
    SV_DEPTHWISE_CONV_2D_S8 = 2,
    SV_FULLY_CONNECTED_S8 = 3,
    SV_ADD_S8 = 4,
    SV_AVERAGE_POOL_2D_S8 = 5,
    SV_MAX_POOL_2D_S8 = 6,
    SV_SOFTMAX_S8 = 7,
    SV_TABLE_S8 = 8,
    SV_MUL_S8 = 9,
    SV_MEAN_S8 = 10,
    SV_PAD = 11,
    SV_CONCATENATION = 12,
    SV_QUANTIZE_F32_S8 = 13,
    SV_DEQUANTIZE_S8_F32 = 14,
    SV_STRIDED_COPY = 15,
    SV_RESIZE_NEAREST = 17,
    SV_RESIZE_BILINEAR_S8 = 18,
    SV_CONV_2D_F32 = 32,
    SV_DEPTHWISE_CONV_2D_F32 = 33,
    SV_FULLY_CONNECTED_F32 = 34,
    SV_ADD_F32 = 35,
    SV_MUL_F32 = 36,
    SV_AVERAGE_POOL_2D_F32 = 37,
    SV_MAX_POOL_2D_F32 = 38,
    SV_SOFTMAX_F32 = 39,
    SV_MEAN_F32 = 40,
    SV_UNARY_F32 = 41,
    SV_RESIZE_BILINEAR_F32 = 42,
    SV_CONV_2D_S16 = 64,
    SV_DEPTHWISE_CONV_2D_S16 = 65,
    SV_FULLY_CONNECTED_S16 = 66,
    SV_ADD_S16 = 67,
    SV_AVERAGE_POOL_2D_S16 = 68,
    SV_MAX_POOL_2D_S16 = 69,
    SV_SOFTMAX_S16 = 70,
    SV_QUANTIZE_F32_S16 = 71,
    SV_DEQUANTIZE_S16_F32 = 72,
    SV_MUL_S16 = 73,
    SV_SIGMOID_S16 = 74,
    SV_MEAN_S16 = 75
};

/* What UNARY_F32 and SIGMOID_S16 compute of each element. */
enum sv_function {
    SV_FUNCTION_CLAMP = 0,
    SV_FUNCTION_LEAKY_RELU = 1,
    SV_FUNCTION_LOGISTIC = 2,
    SV_FUNCTION_TANH = 3,
    SV_FUNCTION_HARD_SWISH = 4
};

typedef struct SV_MAY_ALIAS sv_plan {
    uint8_t magic[4]; /* "SVPL" */
    uint16_t version;
    uint8_t rounding;
    uint8_t target;
    uint32_t length;
    uint32_t crc32; /* of the bytes from 16 to length */
    uint32_t arena_bytes;
    uint16_t tensor_count;
    uint16_t operator_count;
    uint16_t input_count;
    uint16_t output_count;
    uint32_t operand_count;
    uint32_t tensors;
    uint32_t operators;
    uint32_t operands;
    uint32_t constants;
    uint32_t constants_bytes;
    uint32_t strings;
    uint32_t strings_bytes;
    uint32_t reset_count; /* of the operators: the first ones set the variables */
} sv_plan;

typedef struct SV_MAY_ALIAS sv_tensor {
    uint8_t dtype;
    uint8_t rank;
    uint8_t place;
    uint8_t flags;
    uint32_t offset; /* in the arena or in the constants */
    uint32_t bytes;
    uint32_t name; /* in the strings; 0 is none */
    float scale;
    int32_t zero_point;
    uint32_t dims[SV_MAX_RANK]; /* those beyond rank are 1 */
} sv_tensor;

typedef struct SV_MAY_ALIAS sv_operator {
    uint16_t opcode;
    uint8_t version;
    uint8_t layout; /* how its constants are packed; 0 is the portable way */
    uint16_t input_count;
    uint16_t output_count;
    uint32_t operands; /* index of the first; inputs, then outputs */
    uint32_t parameters; /* in the constants */
    uint32_t scratch; /* in the arena */
    uint32_t scratch_bytes;
} sv_operator;

#endif
