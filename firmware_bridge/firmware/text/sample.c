#include "text/sample.h"

enum { BYTES_IN_ROW = 8 };

void sv_sample_announce(sv_sample *sample, const char *number, sv_write write) {
    uint32_t count;
    if (!sv_read_number(&number, &count) || *number != 0 || count == 0 || count > SV_SAMPLE_MAX) {
        sv_say_line(write, "e-[Command 'db load' wants a number of bytes from 1 to 32768]");
        return;
    }
    sample->wanted = count;
    sample->count = 0;
    sv_say(write, "m-[Expecting ");
    sv_say_number(write, count);
    sv_say_line(write, " bytes]");
}

void sv_sample_take(sv_sample *sample, const char *digits, sv_write write) {
    if (sample->wanted == 0) {
        sv_say_line(write, "e-[Data before 'db load']");
        return;
    }
    for (; digits[0] != 0 && sample->count < sample->wanted; digits += 2) {
        const int high = sv_digit(digits[0]);
        const int low = high < 0 ? -1 : sv_digit(digits[1]);
        if (low < 0) {
            sv_say_line(write, "e-[Data must be pairs of hexadecimal digits]");
            return;
        }
        sample->bytes[sample->count++] = (uint8_t)(high << 4 | low);
        if (sample->count == sample->wanted) {
            sv_say_line(write, "m-load-done");
        }
    }
}

void sv_sample_print(const sv_sample *sample, sv_write write) {
    for (uint32_t i = 0; i < sample->count; i++) {
        const int is_last = i % BYTES_IN_ROW == BYTES_IN_ROW - 1 || i + 1 == sample->count;
        sv_say(write, i % BYTES_IN_ROW == 0 ? "m-buffer-" : "-");
        sv_say_hex(write, sample->bytes[i]);
        sv_say(write, is_last ? "\r\n" : "");
    }
}

int sv_sample_is_whole(const sv_sample *sample) {
    return sample->wanted > 0 && sample->count == sample->wanted;
}
