/* The three products of a linear layer, a tile at a time: up to four rows by one or two vectors,
 * whose sums stay in registers. `rows` and `vectors` are constants where these are called. */
#ifndef SELVEDGE_TRAINING_PRODUCT_H
#define SELVEDGE_TRAINING_PRODUCT_H

#include "training/vector.h"

enum { SV_TILE_ROWS = 4, SV_TILE_VECTORS = 2, SV_BLOCK = SV_TILE_VECTORS * SV_LANES };

typedef sv_vector sv_tile[SV_TILE_ROWS][SV_TILE_VECTORS];

/* Add the products of one number for each row, in all lanes, with a row of the block. */
SV_INLINE void sv_add_spread(const sv_vector numbers[], const sv_f32 *block, sv_tile sums,
                             const int32_t rows, const int32_t vectors) {
    sv_vector columns[SV_TILE_VECTORS];
    SV_UNROLL for (int32_t v = 0; v < vectors; v++) {
        columns[v] = sv_load(block + v * SV_LANES);
    }
    SV_UNROLL for (int32_t r = 0; r < rows; r++) {
        SV_UNROLL for (int32_t v = 0; v < vectors; v++) {
            sums[r][v] += numbers[r] * columns[v];
        }
    }
}

/* The same for numbers that lie `stride` apart. */
SV_INLINE void sv_add_outer(const sv_f32 *numbers, ptrdiff_t stride, const sv_f32 *block,
                            sv_tile sums, const int32_t rows, const int32_t vectors) {
    sv_vector spread[SV_TILE_ROWS];
    SV_UNROLL for (int32_t r = 0; r < rows; r++) {
        spread[r] = sv_spread(numbers[r * stride]);
    }
    sv_add_spread(spread, block, sums, rows, vectors);
}

/* The same for one lane of what was loaded of each row. */
SV_INLINE void sv_add_lane(const sv_vector numbers[], const int32_t lane, const sv_f32 *block,
                           sv_tile sums, const int32_t rows, const int32_t vectors) {
    sv_vector spread[SV_TILE_ROWS];
    SV_UNROLL for (int32_t r = 0; r < rows; r++) {
        spread[r] = sv_spread_lane(numbers[r], lane);
    }
    sv_add_spread(spread, block, sums, rows, vectors);
}

/* The same for four neighbours, one for each row. */
SV_INLINE void sv_add_four(sv_vector numbers, const sv_f32 *block, sv_tile sums,
                           const int32_t vectors) {
    sv_vector spread[SV_TILE_ROWS];
    SV_UNROLL for (int32_t r = 0; r < SV_TILE_ROWS; r++) {
        spread[r] = sv_spread_lane(numbers, r);
    }
    sv_add_spread(spread, block, sums, SV_TILE_ROWS, vectors);
}

/* Rows of `length` numbers that lie `stride` apart, times a block. */
SV_INLINE const sv_f32 *sv_add_products(const sv_f32 *numbers, ptrdiff_t stride, int32_t length,
                                        const sv_f32 *block, sv_tile sums, const int32_t rows,
                                        const int32_t vectors) {
    int32_t k = 0;
    for (; k + 4 <= length; k += 4, numbers += 4, block += 4 * vectors * SV_LANES) {
        sv_vector here[SV_TILE_ROWS];
        SV_UNROLL for (int32_t r = 0; r < rows; r++) {
            here[r] = sv_load(numbers + r * stride);
        }
        SV_UNROLL for (int32_t i = 0; i < 4; i++) {
            sv_add_lane(here, i, block + i * vectors * SV_LANES, sums, rows, vectors);
        }
    }
    for (; k < length; k++, numbers++, block += vectors * SV_LANES) {
        sv_add_outer(numbers, stride, block, sums, rows, vectors);
    }
    return block;
}

/* Two sides of a sum over places: `lines` lines of `pixels` pixels each. */
typedef struct sv_places {
    int32_t lines, pixels;
    ptrdiff_t line_left, pixel_left, line_right, pixel_right;
} sv_places;

/* Add, over all places, `rows` neighbours on the left times a block on the right to `sums`. */
SV_INLINE void sv_add_over_places(const sv_f32 *left, const sv_f32 *right, const sv_places *places,
                                  sv_f32 *sums, const int32_t rows, const int32_t vectors) {
    const int32_t width = vectors * SV_LANES;
    const ptrdiff_t pixel_left = places->pixel_left, pixel_right = places->pixel_right;
    sv_tile tile;
    SV_UNROLL for (int32_t r = 0; r < rows; r++) {
        SV_UNROLL for (int32_t v = 0; v < vectors; v++) {
            tile[r][v] = sv_load(sums + r * width + v * SV_LANES);
        }
    }
    for (int32_t line = 0; line < places->lines; line++) {
        const sv_f32 *numbers = left + line * places->line_left;
        const sv_f32 *block = right + line * places->line_right;
        for (int32_t pixel = places->pixels; pixel > 0; pixel--) {
            if (rows == SV_TILE_ROWS) {
                sv_add_four(sv_load(numbers), block, tile, vectors);
            } else {
                sv_add_outer(numbers, 1, block, tile, rows, vectors);
            }
            numbers += pixel_left;
            block += pixel_right;
        }
    }
    SV_UNROLL for (int32_t r = 0; r < rows; r++) {
        SV_UNROLL for (int32_t v = 0; v < vectors; v++) {
            sv_store(sums + r * width + v * SV_LANES, tile[r][v]);
        }
    }
}

#endif
