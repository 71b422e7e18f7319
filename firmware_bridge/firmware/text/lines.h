/* Lines of text without a C library: words and numbers, ended by CR LF. */
#ifndef SELVEDGE_LINES_H
#define SELVEDGE_LINES_H

#include <stddef.h>
#include <stdint.h>

typedef void (*sv_write)(const uint8_t *bytes, size_t count);

void sv_say(sv_write write, const char *text);
void sv_say_number(sv_write write, uint64_t value);
void sv_say_hex(sv_write write, uint8_t byte);

/* With three decimals, cut off and not rounded, as the published results have them. */
void sv_say_real(sv_write write, float value);

/* The rest of a line, with its end. */
void sv_say_line(sv_write write, const char *text);

/* Read a decimal number from `*at`, and the space behind it; 0: there is none below 2^31. */
int sv_read_number(const char **at, uint32_t *value);

/* The value of a hexadecimal digit, or -1. */
int sv_digit(char letter);

#endif
