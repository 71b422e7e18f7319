/* What the engine answers; toolchain/plan/status.py says the same. */
#ifndef SELVEDGE_STATUS_H
#define SELVEDGE_STATUS_H

typedef enum sv_status {
    SV_OK = 0,
    SV_BAD_ARGUMENT = 1,   /* a null pointer, or memory that is not aligned to 16 bytes */
    SV_NOT_A_PLAN = 2,     /* magic or format version */
    SV_TRUNCATED = 3,      /* fewer bytes than the header says */
    SV_CORRUPT = 4,        /* the CRC-32 is another */
    SV_BAD_HEADER = 5,     /* a section outside the plan, an unknown rounding, a reserved field */
    SV_ARENA_TOO_SMALL = 6,
    SV_BAD_TENSOR = 7,     /* dtype, shape, zero point or place */
    SV_UNKNOWN_OPERATOR = 8, /* this build has no kernel for opcode, version and layout */
    SV_BAD_OPERATOR = 9,   /* operand count or index, parameters outside the constants */
    SV_BAD_SHAPE = 10,     /* the shapes of an operator do not go together */
    SV_BAD_PARAMETER = 11, /* a parameter or packed constant out of range */
    SV_OVERLAP = 12        /* an operator would write over what it still reads */
} sv_status;

#endif
