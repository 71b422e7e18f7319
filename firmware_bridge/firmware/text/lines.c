#include "text/lines.h"

void sv_say(sv_write write, const char *text) {
    size_t count = 0;
    while (text[count] != 0) {
        count++;
    }
    write((const uint8_t *)text, count);
}

void sv_say_number(sv_write write, uint64_t value) {
    uint8_t digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    write(digits + first, sizeof digits - first);
}

void sv_say_hex(sv_write write, uint8_t byte) {
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t pair[2] = {(uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15]};
    write(pair, sizeof pair);
}

void sv_say_real(sv_write write, float value) {
    if (!(value > -2e6f && value < 2e6f)) { /* also what is no number */
        sv_say(write, "nan");
        return;
    }
    if (value < 0) {
        sv_say(write, "-");
        value = -value;
    }
    const uint32_t thousandths = (uint32_t)(value * 1000.0f);
    sv_say_number(write, thousandths / 1000);
    const uint8_t rest[4] = {'.', (uint8_t)('0' + thousandths / 100 % 10),
                             (uint8_t)('0' + thousandths / 10 % 10),
                             (uint8_t)('0' + thousandths % 10)};
    write(rest, sizeof rest);
}

void sv_say_line(sv_write write, const char *text) {
    sv_say(write, text);
    sv_say(write, "\r\n");
}

int sv_read_number(const char **at, uint32_t *value) {
    const char *next = *at;
    uint32_t found = 0;
    if (*next < '0' || *next > '9') {
        return 0;
    }
    for (; *next >= '0' && *next <= '9'; next++) {
        if (found > (INT32_MAX - 9u) / 10u) {
            return 0;
        }
        found = found * 10 + (uint32_t)(*next - '0');
    }
    while (*next == ' ') {
        next++;
    }
    *at = next;
    *value = found;
    return 1;
}

int sv_digit(char letter) {
    if (letter >= '0' && letter <= '9') {
        return letter - '0';
    }
    if (letter >= 'a' && letter <= 'f') {
        return letter - 'a' + 10;
    }
    return letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}
