/* The data of the benchmark's "db" commands: announced, then brought as hexadecimal digits. */
#ifndef SELVEDGE_SAMPLE_H
#define SELVEDGE_SAMPLE_H

#include "text/lines.h"

enum { SV_SAMPLE_MAX = 32768 };

typedef struct sv_sample {
    uint32_t wanted; /* bytes that were announced; 0: none were */
    uint32_t count;  /* that arrived */
    uint8_t bytes[SV_SAMPLE_MAX];
} sv_sample;

/* Each takes what stands behind its command and answers it. */
void sv_sample_announce(sv_sample *sample, const char *number, sv_write write);
void sv_sample_take(sv_sample *sample, const char *digits, sv_write write);
void sv_sample_print(const sv_sample *sample, sv_write write);

/* Whether all that was announced is here. */
int sv_sample_is_whole(const sv_sample *sample);

#endif
