/* sv_depthwise_products for the DSP extension. */
#include "kernels/cortex_m/products.h"

#if SV_HAS_DSP

/* Two taps of four channels: r2 their addresses, r0 the offset, r1 the weights, r8-r11 the sums. */
#define TWO_TAPS                                                                                   \
    "ldrd r3, r4, [r2], #8\n"                                                                      \
    "ldr r3, [r3, r0]\n"                                                                           \
    "ldr r4, [r4, r0]\n"                                                                           \
    "ldmia r1!, {r6, r7, r12, lr}\n"                                                               \
    "pkhbt r5, r3, r4, lsl #16\n"                                                                  \
    "pkhtb r4, r4, r3, asr #16\n"                                                                  \
    "sxtb16 r3, r5\n"                                                                              \
    "sxtb16 r5, r5, ror #8\n"                                                                      \
    "smlad r8, r3, r6, r8\n"                                                                       \
    "sxtb16 r3, r4\n"                                                                              \
    "smlad r9, r5, r7, r9\n"                                                                       \
    "sxtb16 r4, r4, ror #8\n"                                                                      \
    "smlad r10, r3, r12, r10\n"                                                                    \
    "smlad r11, r4, lr, r11\n"

/* r2 the target, r3 the scaling, r4 twice the zero point plus 1. */
#define STORE(sum, scale)                                                                          \
    "ldrd r5, r6, [r3, #" scale "]\n"                                                              \
    "smmlar " sum ", " sum ", r5, " sum "\n"                                                       \
    "lsl r5, r4, r6\n"                                                                             \
    "add " sum ", " sum ", " sum ", asr #31\n"                                                     \
    "add " sum ", " sum ", r5\n"                                                                   \
    "asr " sum ", " sum ", r6\n"                                                                   \
    "ssat " sum ", #8, " sum ", asr #1\n"                                                          \
    "strb " sum ", [r2], #1\n"

/* On the stack: the job's first six fields, of which target and scaling move on. Nine taps, that
 * is five pairs, are unrolled. */
__asm__(".syntax unified\n"
        ".pushsection .text.sv_depthwise_products, \"ax\", %progbits\n"
        ".balign 4\n"
        ".global sv_depthwise_products\n"
        ".type sv_depthwise_products, %function\n"
        ".thumb_func\n"
        "sv_depthwise_products:\n"
        "push {r4-r11, lr}\n"
        "sub sp, #28\n"
        "ldmia r0!, {r1-r6}\n"
        "stmia sp, {r1-r6}\n"
        "ldrd r1, r0, [r0]\n"
        "1:\n" /* four channels */
        "ldr r3, [sp, #4]\n"
        "ldrd r2, r4, [sp, #16]\n"
        "ldmia r3, {r8-r11}\n"
        "sub r4, r4, r2\n"
        "cmp r4, #40\n"
        "bne 2f\n" TWO_TAPS TWO_TAPS TWO_TAPS TWO_TAPS TWO_TAPS "b 3f\n"
        "2:\n" TWO_TAPS
        "ldr r3, [sp, #20]\n"
        "cmp r2, r3\n"
        "bne 2b\n"
        "3:\n"
        "ldmia sp, {r2-r4}\n" STORE("r8", "16") STORE("r9", "24") STORE("r10", "32")
        STORE("r11", "40")
        "add r3, #48\n"
        "stmia sp, {r2-r3}\n"
        "ldr r4, [sp, #12]\n"
        "add r0, #4\n"
        "cmp r0, r4\n"
        "bne 1b\n"
        "add sp, #28\n"
        "pop {r4-r11, pc}\n"
        ".size sv_depthwise_products, . - sv_depthwise_products\n"
        ".popsection\n");

#else
typedef int sv_depthwise_products_are_in_c;
#endif
