/* sv_conv_products and sv_widen for the DSP extension. */
#include "kernels/cortex_m/products.h"

#if SV_HAS_DSP

/* Four terms: r0 the columns, r1 the weights, r8-r10 and r11, r12, lr the sums of two channels. */
#define FOUR_TERMS                                                                                 \
    "ldrd r5, r6, [r1], #8\n"                                                                      \
    "ldmia r0!, {r2-r4}\n"                                                                         \
    "sxtb16 r7, r5\n"                                                                              \
    "smlad r8, r7, r2, r8\n"                                                                       \
    "smlad r9, r7, r3, r9\n"                                                                       \
    "smlad r10, r7, r4, r10\n"                                                                     \
    "sxtb16 r7, r6\n"                                                                              \
    "smlad r11, r7, r2, r11\n"                                                                     \
    "smlad r12, r7, r3, r12\n"                                                                     \
    "smlad lr, r7, r4, lr\n"                                                                       \
    "ldmia r0!, {r2-r4}\n"                                                                         \
    "sxtb16 r5, r5, ror #8\n"                                                                      \
    "smlad r8, r5, r2, r8\n"                                                                       \
    "smlad r9, r5, r3, r9\n"                                                                       \
    "smlad r10, r5, r4, r10\n"                                                                     \
    "sxtb16 r6, r6, ror #8\n"                                                                      \
    "smlad r11, r6, r2, r11\n"                                                                     \
    "smlad r12, r6, r3, r12\n"                                                                     \
    "smlad lr, r6, r4, lr\n"

/* A sum, with r0 the doubled multiplier, then with r0 half a step and r7 the shift. */
#define MULTIPLY(sum)                                                                              \
    "smmlar " sum ", " sum ", r0, " sum "\n"                                                       \
    "add " sum ", " sum ", " sum ", asr #31\n"
#define SHIFT(sum, target)                                                                         \
    "add " sum ", " sum ", r0\n"                                                                   \
    "asr " sum ", " sum ", r7\n"                                                                   \
    "ssat " sum ", #8, " sum ", asr #1\n"                                                          \
    "strb " sum ", [" target "], #1\n"

#define STORE_CHANNEL(scale, a, b, c)                                                              \
    "ldrd r0, r7, [r5, #" scale "]\n" MULTIPLY(a) MULTIPLY(b) MULTIPLY(c)                          \
    "lsl r0, r6, r7\n" SHIFT(a, "r2") SHIFT(b, "r3") SHIFT(c, "r4")

/* On the stack: the job's first eight fields, of which targets and scaling move on. */
__asm__(".syntax unified\n"
        ".pushsection .text.sv_conv_products, \"ax\", %progbits\n"
        ".balign 4\n"
        ".global sv_conv_products\n"
        ".type sv_conv_products, %function\n"
        ".thumb_func\n"
        "sv_conv_products:\n"
        "push {r4-r11, lr}\n"
        "sub sp, #36\n"
        "ldmia r0!, {r1-r8}\n"
        "stmia sp, {r1-r8}\n"
        "ldr r1, [r0]\n"
        "1:\n" /* two channels */
        "ldr r5, [sp, #12]\n"
        "ldr r0, [sp, #24]\n"
        "ldrd r8, r11, [r5]\n"
        "mov r9, r8\n"
        "mov r10, r8\n"
        "mov r12, r11\n"
        "mov lr, r11\n"
        "2:\n" FOUR_TERMS FOUR_TERMS
        "ldr r7, [sp, #28]\n"
        "cmp r0, r7\n"
        "bne 2b\n"
        "ldmia sp, {r2-r6}\n" STORE_CHANNEL("8", "r8", "r9", "r10")
        STORE_CHANNEL("16", "r11", "r12", "lr")
        "add r5, #24\n"
        "stmia sp, {r2-r5}\n"
        "ldr r7, [sp, #20]\n"
        "cmp r1, r7\n"
        "bne 1b\n"
        "add sp, #36\n"
        "pop {r4-r11, pc}\n"
        ".size sv_conv_products, . - sv_conv_products\n"
        ".popsection\n");

/* Two words in a turn, and one before if their number is odd. */
__asm__(".syntax unified\n"
        ".pushsection .text.sv_widen, \"ax\", %progbits\n"
        ".balign 4\n"
        ".global sv_widen\n"
        ".type sv_widen, %function\n"
        ".thumb_func\n"
        "sv_widen:\n"
        "push {r4, lr}\n"
        "lsrs r1, r1, #1\n"
        "bcc 1f\n"
        "ldr r3, [r0], #4\n"
        "sxtb16 r12, r3\n"
        "sxtb16 r3, r3, ror #8\n"
        "str r3, [r2, #12]\n"
        "str r12, [r2], #24\n"
        "1:\n"
        "cbz r1, 3f\n"
        "2:\n"
        "ldr r4, [r0, #4]\n"
        "ldr r3, [r0], #8\n"
        "sxtb16 r12, r3\n"
        "sxtb16 r3, r3, ror #8\n"
        "sxtb16 lr, r4\n"
        "sxtb16 r4, r4, ror #8\n"
        "str r3, [r2, #12]\n"
        "str lr, [r2, #24]\n"
        "str r4, [r2, #36]\n"
        "str r12, [r2], #48\n"
        "subs r1, #1\n"
        "bne 2b\n"
        "3:\n"
        "pop {r4, pc}\n"
        ".size sv_widen, . - sv_widen\n"
        ".popsection\n");

#else
typedef int sv_conv_products_are_in_c;
#endif
