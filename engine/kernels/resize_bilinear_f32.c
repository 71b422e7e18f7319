/* RESIZE_BILINEAR, float32: each output is a mixture of four neighbours. */
#include "core/checks.h"
#include "core/kernel.h"
#include "selvedge/parameters.h"

/* Two neighbours along one side, and how far the place is from the first. */
typedef struct place {
    int32_t low, high;
    float beyond;
} place;

static sv_status check(const sv_call *call) {
    const sv_resize_bilinear_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    if (!sv_are(call, SV_FLOAT32) || !sv_is_image(input) || !sv_is_image(output) ||
        input->dims[0] != output->dims[0] || input->dims[3] != output->dims[3]) {
        return SV_BAD_SHAPE;
    }
    return p->align_corners + p->half_pixel_centers <= 1 && p->reserved == 0 ? SV_OK
                                                                            : SV_BAD_PARAMETER;
}

static float scale_of(uint32_t from, uint32_t to, int is_aligned) {
    return is_aligned && to > 1 ? (float)(from - 1) / (float)(to - 1) : (float)from / (float)to;
}

/* Lengths are at most SV_MAX_LENGTH, so that places fit in int32; before 0 they lie by 0.5. */
static place find(int32_t at, float scale, int is_half, int32_t length) {
    const float exact =
        is_half ? ((float)at + 0.5f) * scale - 0.5f : (float)at * scale;
    const int32_t whole = exact < 0.0f ? -1 : (int32_t)exact;
    const int32_t next = exact > (float)whole ? whole + 1 : whole;
    place found;
    found.low = whole < 0 ? 0 : whole < length ? whole : length - 1;
    found.high = next < length ? next : length - 1;
    found.beyond = exact - (float)found.low;
    return found;
}

static void mix(const sv_f32 *top, const sv_f32 *bottom, const place *x, float down,
                int32_t channels, sv_f32 *output) {
    const ptrdiff_t left = (ptrdiff_t)x->low * channels;
    const ptrdiff_t right = (ptrdiff_t)x->high * channels;
    const float beyond = x->beyond;
    for (int32_t i = 0; i < channels; i++) {
        output[i] = top[left + i] * (1.0f - down) * (1.0f - beyond) +
                    bottom[left + i] * down * (1.0f - beyond) +
                    top[right + i] * (1.0f - down) * beyond + bottom[right + i] * down * beyond;
    }
}

static void run(const sv_call *call) {
    const sv_resize_bilinear_f32_parameters *p = sv_parameters(call);
    const sv_tensor *input = sv_input(call, 0);
    const sv_tensor *output = sv_output(call, 0);
    const int32_t height = (int32_t)input->dims[1];
    const int32_t width = (int32_t)input->dims[2];
    const int32_t channels = (int32_t)input->dims[3];
    const ptrdiff_t row = (ptrdiff_t)width * channels;
    const float scale_y = scale_of(input->dims[1], output->dims[1], p->align_corners);
    const float scale_x = scale_of(input->dims[2], output->dims[2], p->align_corners);
    const sv_f32 *image = sv_read(call, input);
    sv_f32 *target = sv_write(call, output);
    for (uint32_t n = 0; n < input->dims[0]; n++, image += height * row) {
        for (int32_t oy = 0; oy < (int32_t)output->dims[1]; oy++) {
            const place y = find(oy, scale_y, p->half_pixel_centers, height);
            for (int32_t ox = 0; ox < (int32_t)output->dims[2]; ox++, target += channels) {
                const place x = find(ox, scale_x, p->half_pixel_centers, width);
                mix(image + y.low * row, image + y.high * row, &x, y.beyond, channels, target);
            }
        }
    }
}

const sv_kernel sv_resize_bilinear_f32 = {
    .opcode = SV_RESIZE_BILINEAR_F32,
    .version = 1,
    .inputs_min = 1,
    .inputs_max = 1,
    .parameter_bytes = sizeof(sv_resize_bilinear_f32_parameters),
    .check = check,
    .run = run,
};
