/* The description of a network that is trained: one header, then its layers, as
 * `toolchain/training` writes them. docs/reference/train-abi.md is the specification. */
#ifndef SELVEDGE_NETWORK_H
#define SELVEDGE_NETWORK_H

#include "selvedge/parameters.h"

enum {
    SV_NETWORK_MAGIC = 0x4e545653, /* "SVTN" */
    SV_NETWORK_VERSION = 1,
    SV_NETWORK_ALIGNMENT = 16,
    SV_MAX_LAYERS = 64
};

typedef enum sv_loss {
    SV_SOFTMAX_CROSS_ENTROPY = 0, /* labels are class numbers */
    SV_SQUARED_ERROR = 1          /* labels are as many floats as there are outputs */
} sv_loss;

typedef enum sv_layer_kind {
    SV_LINEAR = 1, /* convolution; a dense layer is one whose window is the whole picture */
    SV_DEPTHWISE = 2,
    SV_MAX_POOL = 3,
    SV_AVERAGE_POOL = 4 /* of the taps inside the picture */
} sv_layer_kind;

typedef enum sv_activation { SV_NO_ACTIVATION = 0, SV_RELU = 1, SV_RELU6 = 2 } sv_activation;

typedef struct SV_MAY_ALIAS sv_network {
    uint32_t magic;
    uint32_t version;
    uint32_t length;      /* of the description in bytes */
    uint32_t arena_bytes; /* exactly what the engine needs */
    uint32_t parameters;
    uint32_t batch;  /* examples that are handed over at once, at most */
    uint32_t group;  /* examples that are computed together, at most; no more than the batch */
    uint32_t loss;
    uint32_t height; /* of one example; vectors have height and width 1 */
    uint32_t width;
    uint32_t channels;
    uint32_t layers;
} sv_network;

typedef struct SV_MAY_ALIAS sv_layer {
    uint8_t kind;
    uint8_t activation; /* of linear and depthwise layers */
    uint16_t reserved;
    uint16_t height; /* of the output */
    uint16_t width;
    uint32_t channels;
    sv_window window; /* dilation 1 */
} sv_layer;

#endif
