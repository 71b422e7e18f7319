/* sv_units_products for the DSP extension. */
#include "kernels/cortex_m/products.h"

#if SV_HAS_DSP

/* Four terms: r0 the inputs, r1 the weights, r8-r11 the sums. */
#define UNIT(weight, sum)                                                                          \
    "smlad " sum ", " weight ", r3, " sum "\n"                                                     \
    "sxtb16 " weight ", " weight "\n"                                                              \
    "smlad " sum ", " weight ", r2, " sum "\n"
#define FOUR_TERMS                                                                                 \
    "ldr r3, [r0], #4\n"                                                                           \
    "ldmia r1!, {r4-r7}\n"                                                                         \
    "rev16 r2, r3\n"                                                                               \
    "sxtb16 r3, r3, ror #8\n"                                                                      \
    "eor r2, r2, #0x007f007f\n" UNIT("r4", "r8") UNIT("r5", "r9") UNIT("r6", "r10")                \
        UNIT("r7", "r11")

/* r2 the target, r3 the scaling, r4 twice the zero point plus 1. */
#define STORE(sum, scale)                                                                          \
    "ldrd r5, r6, [r3, #" scale "]\n"                                                              \
    "asr " sum ", " sum ", #8\n"                                                                   \
    "smmlar " sum ", " sum ", r5, " sum "\n"                                                       \
    "lsl r5, r4, r6\n"                                                                             \
    "add " sum ", " sum ", " sum ", asr #31\n"                                                     \
    "add " sum ", " sum ", r5\n"                                                                   \
    "asr " sum ", " sum ", r6\n"                                                                   \
    "ssat " sum ", #8, " sum ", asr #1\n"                                                          \
    "strb " sum ", [r2], #1\n"

/* On the stack: the job's first five fields, of which target and scaling move on. */
__asm__(".syntax unified\n"
        ".pushsection .text.sv_units_products, \"ax\", %progbits\n"
        ".balign 4\n"
        ".global sv_units_products\n"
        ".type sv_units_products, %function\n"
        ".thumb_func\n"
        "sv_units_products:\n"
        "push {r4-r11, lr}\n"
        "sub sp, #20\n"
        "ldmia r0!, {r1-r5}\n"
        "stmia sp, {r1-r5}\n"
        "ldrd lr, r1, [r0]\n"
        "1:\n" /* four units */
        "ldr r3, [sp, #4]\n"
        "ldr r0, [sp, #16]\n"
        "ldmia r3, {r8-r11}\n"
        "2:\n" FOUR_TERMS FOUR_TERMS
        "cmp r0, lr\n"
        "bne 2b\n"
        "ldmia sp, {r2-r4}\n" STORE("r8", "16") STORE("r9", "24") STORE("r10", "32")
        STORE("r11", "40")
        "add r3, #48\n"
        "stmia sp, {r2-r3}\n"
        "ldr r4, [sp, #12]\n"
        "cmp r1, r4\n"
        "bne 1b\n"
        "add sp, #20\n"
        "pop {r4-r11, pc}\n"
        ".size sv_units_products, . - sv_units_products\n"
        ".popsection\n");

#else
typedef int sv_units_products_are_in_c;
#endif
