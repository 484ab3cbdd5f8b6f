/* A wall clock that goes faster or is put forward and back, for tests: preloaded into the program,
 * it multiplies the time that has passed since a moment, and adds the seconds that a file holds.
 * What lasts is still measured by the clock that it leaves alone.
 *
 *   LD_PRELOAD=clock.so CLOCK_SINCE=SECONDS CLOCK_TIMES=FACTOR CLOCK_STEP=FILE pairwatch …
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* By the system call, for it is asked before this library is set up. */
static int real_gettime(clockid_t clock, struct timespec *ret)
{
    return (int)syscall(SYS_clock_gettime, clock, ret);
}

static double number(const char *name, double otherwise)
{
    const char *text = getenv(name);
    double value;

    return text != NULL && sscanf(text, "%lf", &value) == 1 ? value : otherwise;
}

/* Read anew each time. */
static double step(void)
{
    const char *path = getenv("CLOCK_STEP");
    char text[32] = "";
    double seconds = 0;
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) < 0 || sscanf(text, "%lf", &seconds) != 1)
            seconds = 0;
        (void)close(fd);
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    static double since, times; /* whoever is first: all read the same */
    int result = real_gettime(clock, ret);
    double now;

    if (result != 0 || clock != CLOCK_REALTIME)
        return result;
    if (times <= 0) {
        since = number("CLOCK_SINCE", 0);
        times = number("CLOCK_TIMES", 1);
    }
    now = since + ((double)ret->tv_sec + (double)ret->tv_nsec / 1e9 - since) * times + step();
    ret->tv_sec = (time_t)now;
    ret->tv_nsec = (long)((now - (double)ret->tv_sec) * 1e9);
    return 0;
}
