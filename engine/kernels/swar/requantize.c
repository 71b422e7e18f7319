/* The output stage for three sums whose channel fits no short form. */
#include "kernels/swar/requantize.h"

void sv_store3_general(const sv_channel *c, sv_fields sums, int8_t *a, int8_t *b, int8_t *d) {
    const int32_t found[SV_FIELDS] = {(int32_t)(sums.low - SV_HALF_FIELD),
                                      (int32_t)(sums.middle - SV_HALF_FIELD), (int32_t)sums.high};
    int8_t *const targets[SV_FIELDS] = {a, b, d};
    for (int32_t i = 0; i < SV_FIELDS; i++) {
        *targets[i] = sv_to_s8(c->stage, c->number, found[i]);
    }
}
