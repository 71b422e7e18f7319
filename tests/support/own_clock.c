/* Preloaded: a program's clock stands where the file of $OWN_CLOCK says, in seconds beside the
 * machine's; it may be set while the program runs. The monotonic clock stays as it is. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset_s(void)
{
    const char *path = getenv("OWN_CLOCK");
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    long offset = 0;
    int sign = 1;
    /* By hand: newer C libraries give scanf and strtol names that older ones lack. */
    for (int byte; file != NULL && (byte = fgetc(file)) != EOF && byte != '\n';) {
        sign = byte == '-' ? -1 : sign;
        offset = byte >= '0' && byte <= '9' ? offset * 10 + (byte - '0') : offset;
    }
    if (file != NULL) {
        fclose(file);
    }
    return sign * offset;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += offset_s();
    }
    return result;
}

time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result != NULL) {
        *result = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *result, void *zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    result->tv_sec = now.tv_sec;
    result->tv_usec = now.tv_nsec / 1000;
    return 0;
}
