#pragma once
/* Time. Wall-clock times are int64 milliseconds since 1970 UTC ("_ms"); in JSON RFC 3339 UTC
 * with milliseconds. Any thread. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIME_TEXT_BYTES = 32 };
#define TIME_MS_MIN INT64_C(0)             /* 1970-01-01T00:00:00Z */
#define TIME_MS_MAX INT64_C(4102444799999) /* 2099-12-31T23:59:59.999Z: later is a mistake */
enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };

int64_t clock_now_ms(void);
int64_t clock_mono_ms(void); /* for durations and deadlines */
void clock_sleep_ms(int64_t ms);
/* Tests set the wall clock; 0 gives it back to the system. */
void clock_set_for_test(int64_t now_ms);

/* "2026-11-24T08:00:00.000Z"; out of the range above gives "invalid". */
size_t time_format(char ret[static TIME_TEXT_BYTES], int64_t ms);
/* RFC 3339 with 'T' or 't' or a space, 'Z' or an offset, up to nine fraction digits (cut to ms).
 * False when it is not one, is no real date, or lies outside TIME_MS_MIN..TIME_MS_MAX. */
bool time_parse(const char *text, int64_t *ret_ms);
/* "90s", "15m", "36h", "7d", "2w" to milliseconds; positive, at most ten years. */
bool duration_parse(const char *text, int64_t *ret_ms);
