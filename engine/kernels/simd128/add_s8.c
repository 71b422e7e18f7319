/* ADD and SUB, int8, eight pairs at a time where both inputs are runs of memory.
 *
 * With single rounding the sum is whole numbers. With double rounding it is computed in float32,
 * and anew in the exact way where it comes too near to the middle of two whole numbers. */
#include "core/kernel.h"
#include "kernels/add_s8.h"
#include "kernels/simd128/scaling.h"

/* 2^exponent, -126..127 */
static float power_of_two(int32_t exponent) {
    const union {
        int32_t bits;
        float value;
    } power = {.bits = (exponent + 127) * (1 << 23)};
    return power.value;
}

typedef struct job {
    sv_add_job exact; /* first: the context of its loop */
    float left, right; /* what one step of an input is in steps of the output */
    float offset;
    float certain; /* how far from a whole number a result may be and be believed, squared */
} job;

/* Each of the three multiplications rounds at most twice, by half a step of its own scale or of the
 * next: 3 steps of the output's multiplication together. Float32 rounds eight times, at most
 * 2^-24 of what at most 511 steps of the inputs add up to. */
static void open_double(job *j, const sv_add_parameters *p) {
    const float output = (float)p->output_multiplier * power_of_two(p->output_shift - 31);
    const float left = (float)p->left_multiplier * power_of_two(p->left_shift - 11);
    const float right = (float)p->right_multiplier * power_of_two(p->right_shift - 11);
    const int is_small = p->left_shift <= 0 && p->right_shift <= 0 && p->output_shift <= 0;
    j->left = left * output;
    j->right = p->subtract ? -(right * output) : right * output;
    j->offset = -((float)j->exact.left_zero * j->left + (float)j->exact.right_zero * j->right);
    const float reach = 512 * (left + right) * output;
    const float certain = 0.5f - 3 * output - power_of_two(p->output_shift - 1) -
                          8 * power_of_two(-24) * reach;
    j->certain = is_small && certain > 0 ? certain * certain : -1.0f;
}

static inline v128_t widen_low(v128_t words) { return wasm_i32x4_extend_low_i16x8(words); }

static inline v128_t widen_high(v128_t words) { return wasm_i32x4_extend_high_i16x8(words); }

static inline v128_t sum_double(const job *j, v128_t left, v128_t right) {
    const v128_t a =
        wasm_f32x4_mul(wasm_f32x4_convert_i32x4(left), wasm_f32x4_splat(j->left));
    const v128_t b =
        wasm_f32x4_mul(wasm_f32x4_convert_i32x4(right), wasm_f32x4_splat(j->right));
    return wasm_f32x4_add(wasm_f32x4_add(a, b), wasm_f32x4_splat(j->offset));
}

static inline v128_t sum_single(const sv_add_job *e, v128_t left, v128_t right, int32_t offset) {
    const int32_t multiplier = e->p->right_multiplier;
    const v128_t a = wasm_i32x4_mul(left, wasm_i32x4_splat(e->p->left_multiplier));
    const v128_t b =
        wasm_i32x4_mul(right, wasm_i32x4_splat(e->p->subtract ? -multiplier : multiplier));
    const v128_t sum = wasm_i32x4_add(wasm_i32x4_add(a, b), wasm_i32x4_splat(offset));
    return wasm_i32x4_add(wasm_i32x4_shr(sum, (uint32_t)e->p->output_shift),
                          wasm_i32x4_splat(e->output_zero));
}

static void pairs_double(const void *context, const void *lefts, int32_t left_step,
                         const void *rights, int32_t right_step, void *outputs, int32_t count) {
    const int8_t *left = lefts;
    const int8_t *right = rights;
    int8_t *output = outputs;
    const job *j = context;
    const sv_add_parameters *p = j->exact.p;
    const v128_t to_zero_point = wasm_i32x4_splat(0x4b400000 - j->exact.output_zero);
    const v128_t certain = wasm_f32x4_splat(j->certain);
    int32_t i = 0;
    for (; left_step == 1 && right_step == 1 && i + 8 <= count; i += 8) {
        const v128_t a = wasm_i16x8_load8x8(left + i), b = wasm_i16x8_load8x8(right + i);
        v128_t far_low, far_high;
        const v128_t low = sv_round4(sum_double(j, widen_low(a), widen_low(b)), to_zero_point,
                                     &far_low);
        const v128_t high = sv_round4(sum_double(j, widen_high(a), widen_high(b)), to_zero_point,
                                      &far_high);
        if (wasm_v128_any_true(wasm_f32x4_gt(wasm_f32x4_pmax(far_low, far_high), certain))) {
            j->exact.pairs(&j->exact, left + i, 1, right + i, 1, output + i, 8);
        } else {
            wasm_v128_store64_lane(output + i,
                                   sv_narrow8(low, high, wasm_i8x16_splat(p->low),
                                              wasm_i8x16_splat(p->high)),
                                   0);
        }
    }
    j->exact.pairs(&j->exact, left + i * left_step, left_step, right + i * right_step, right_step,
                   output + i, count - i);
}

static void pairs_single(const void *context, const void *lefts, int32_t left_step,
                         const void *rights, int32_t right_step, void *outputs, int32_t count) {
    const int8_t *left = lefts;
    const int8_t *right = rights;
    int8_t *output = outputs;
    const sv_add_job *e = &((const job *)context)->exact;
    const sv_add_parameters *p = e->p;
    const int32_t right_multiplier = p->subtract ? -p->right_multiplier : p->right_multiplier;
    const int32_t offset =
        (1 << (p->output_shift - 1)) -
        (e->left_zero * p->left_multiplier + e->right_zero * right_multiplier);
    int32_t i = 0;
    for (; left_step == 1 && right_step == 1 && i + 8 <= count; i += 8) {
        const v128_t a = wasm_i16x8_load8x8(left + i), b = wasm_i16x8_load8x8(right + i);
        const v128_t low = sum_single(e, widen_low(a), widen_low(b), offset);
        const v128_t high = sum_single(e, widen_high(a), widen_high(b), offset);
        wasm_v128_store64_lane(
            output + i,
            sv_narrow8(low, high, wasm_i8x16_splat(p->low), wasm_i8x16_splat(p->high)), 0);
    }
    e->pairs(e, left + i * left_step, left_step, right + i * right_step, right_step, output + i,
             count - i);
}

static void run(const sv_call *call) {
    job j = {.exact = sv_open_add(call)};
    if (call->plan->rounding == SV_ROUND_SINGLE) {
        sv_run_broadcast(call, 1, pairs_single, &j);
    } else {
        open_double(&j, j.exact.p);
        sv_run_broadcast(call, 1, pairs_double, &j);
    }
}

const sv_kernel sv_add_s8_simd128 = {
    .opcode = SV_ADD_S8,
    .version = 1,
    .inputs_min = 2,
    .inputs_max = 2,
    .parameter_bytes = sizeof(sv_add_parameters),
    .in_place = 1,
    .check = sv_check_add,
    .run = run,
};
