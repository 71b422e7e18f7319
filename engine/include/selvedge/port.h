/* What the engine asks of a compiler, in one place. */
#ifndef SELVEDGE_PORT_H
#define SELVEDGE_PORT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "plans are little-endian and are read in place"
#endif

/* Plans are read in place out of memory that may have been declared as bytes. */
#if defined(__GNUC__)
#define SV_MAY_ALIAS __attribute__((may_alias))
#else
#define SV_MAY_ALIAS
#endif

typedef int32_t SV_MAY_ALIAS sv_i32;
typedef int64_t SV_MAY_ALIAS sv_i64;
typedef int16_t SV_MAY_ALIAS sv_i16;
typedef uint16_t SV_MAY_ALIAS sv_u16;
typedef uint32_t SV_MAY_ALIAS sv_u32;
typedef float SV_MAY_ALIAS sv_f32;

/* The only two functions wanted from outside; the compiler calls them by itself anyway. */
void *memcpy(void *restrict target, const void *restrict source, size_t count);
void *memset(void *target, int value, size_t count);

#endif
