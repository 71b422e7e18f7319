/* Loops of constant length whose arrays are to become registers. */
#ifndef SELVEDGE_SIMD128_UNROLL_H
#define SELVEDGE_SIMD128_UNROLL_H

#if defined(__clang__)
#define SV_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SV_UNROLL
#endif

/* For functions whose arguments are constants where they are called. */
#define SV_INLINE static inline __attribute__((always_inline))

#endif
