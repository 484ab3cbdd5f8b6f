/* Days are counted with the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level
 * date algorithms"), so no time zone table and no locale is involved. */
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/own.h"
#include "base/str.h"

static _Atomic int64_t test_now_ms;

int64_t clock_now_ms(void)
{
    int64_t set = atomic_load(&test_now_ms);
    struct timespec now;

    if (set != 0)
        return set;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (ms > 0 && nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

void clock_set_for_test(int64_t now_ms)
{
    atomic_store(&test_now_ms, now_ms);
}

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t era, year_of_era, day_of_year;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    year_of_era = year - era * 400;
    day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

struct civil {
    int64_t year, month, day;
};

static struct civil civil_from_days(int64_t days)
{
    int64_t era, day_of_era, year_of_era, day_of_year, month;
    struct civil civil;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    day_of_era = days - era * 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (5 * day_of_year + 2) / 153;
    civil.day = day_of_year - (153 * month + 2) / 5 + 1;
    civil.month = month < 10 ? month + 3 : month - 9;
    civil.year = year_of_era + era * 400 + (civil.month <= 2);
    return civil;
}

size_t time_format(char ret[static TIME_TEXT_BYTES], int64_t ms)
{
    struct civil date;
    int64_t rest;

    if (ms < TIME_MS_MIN || ms > TIME_MS_MAX)
        return (size_t)snprintf(ret, TIME_TEXT_BYTES, "invalid");
    date = civil_from_days(ms / DAY_MS);
    rest = ms % DAY_MS;
    return (size_t)snprintf(ret, TIME_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                            (int)date.year, (int)date.month, (int)date.day, (int)(rest / HOUR_MS),
                            (int)(rest / 60000 % 60), (int)(rest / 1000 % 60), (int)(rest % 1000));
}

/* Exactly count digits; moves on. */
static bool read_digits(const char **at, int count, int64_t *ret)
{
    *ret = 0;
    for (int i = 0; i < count; i++) {
        char c = **at;

        if (c < '0' || c > '9')
            return false;
        *ret = *ret * 10 + (c - '0');
        (*at)++;
    }
    return true;
}

static bool read_char(const char **at, char wanted)
{
    if (**at != wanted)
        return false;
    (*at)++;
    return true;
}

static bool read_date(const char **at, int64_t *ret_days)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct civil d;
    bool leap;

    if (!read_digits(at, 4, &d.year) || !read_char(at, '-') || !read_digits(at, 2, &d.month) ||
        !read_char(at, '-') || !read_digits(at, 2, &d.day))
        return false;
    if (d.month < 1 || d.month > 12 || d.day < 1)
        return false;
    *ret_days = days_from_civil(d.year, d.month, d.day);
    leap = d.year % 4 == 0 && (d.year % 100 != 0 || d.year % 400 == 0);
    return d.day <= DAYS[d.month - 1] + (d.month == 2 && leap);
}

/* ".5" to 500; digits beyond the third are dropped, at most nine are read. */
static bool read_fraction(const char **at, int64_t *ret_ms)
{
    int64_t scale = 100;
    int digits = 0;

    *ret_ms = 0;
    if (!read_char(at, '.'))
        return true;
    for (; **at >= '0' && **at <= '9'; (*at)++, digits++) {
        *ret_ms += (**at - '0') * scale;
        scale /= 10;
    }
    return digits >= 1 && digits <= 9;
}

static bool read_clock(const char **at, int64_t *ret_ms)
{
    int64_t hour, minute, second, fraction;

    if (!read_digits(at, 2, &hour) || !read_char(at, ':') || !read_digits(at, 2, &minute) ||
        !read_char(at, ':') || !read_digits(at, 2, &second) || !read_fraction(at, &fraction))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    if (second == 60) /* a leap second is the last moment we can name */
        second = 59;
    *ret_ms = hour * HOUR_MS + minute * 60000 + second * 1000 + fraction;
    return true;
}

static bool read_offset(const char **at, int64_t *ret_ms)
{
    int64_t hour, minute, sign = **at == '-' ? -1 : 1;

    *ret_ms = 0;
    if (read_char(at, 'Z') || read_char(at, 'z'))
        return true;
    if (!read_char(at, '+') && !read_char(at, '-'))
        return false;
    if (!read_digits(at, 2, &hour) || !read_char(at, ':') || !read_digits(at, 2, &minute) ||
        hour > 23 || minute > 59)
        return false;
    *ret_ms = sign * (hour * HOUR_MS + minute * 60000);
    return true;
}

bool time_parse(const char *text, int64_t *ret_ms)
{
    int64_t days, clock_ms, offset_ms, ms;

    if (!read_date(&text, &days))
        return false;
    if (!read_char(&text, 'T') && !read_char(&text, 't') && !read_char(&text, ' '))
        return false;
    if (!read_clock(&text, &clock_ms) || !read_offset(&text, &offset_ms) || *text != '\0')
        return false;
    ms = days * DAY_MS + clock_ms - offset_ms;
    if (ms < TIME_MS_MIN || ms > TIME_MS_MAX)
        return false;
    *ret_ms = ms;
    return true;
}

bool duration_parse(const char *text, int64_t *ret_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } UNITS[] = {{'s', 1000}, {'m', 60000}, {'h', HOUR_MS}, {'d', DAY_MS}, {'w', 7 * DAY_MS}};
    const int64_t longest_ms = INT64_C(3653) * DAY_MS;
    int64_t value = 0;
    int digits = 0;

    for (; *text >= '0' && *text <= '9' && digits < 12; text++, digits++)
        value = value * 10 + (*text - '0');
    if (digits == 0 || value == 0 || text[0] == '\0' || text[1] != '\0')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(UNITS); i++) {
        if (*text == UNITS[i].unit && value <= longest_ms / UNITS[i].ms) {
            *ret_ms = value * UNITS[i].ms;
            return true;
        }
    }
    return false;
}
