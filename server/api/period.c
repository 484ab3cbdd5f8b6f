/* Periods of charts: given, or all there is. */
#include "api/period.h"

#include "base/clock.h"
#include "base/field.h"
#include "store/rollup.h"

void period_read(struct request *req, int64_t *ret_since_ms, int64_t *ret_until_ms)
{
    *ret_since_ms = *ret_until_ms = FIELD_NULL_INT;
    query_time(req, "since", ret_since_ms);
    query_time(req, "until", ret_until_ms);
    if (*ret_since_ms != FIELD_NULL_INT && *ret_until_ms != FIELD_NULL_INT &&
        *ret_since_ms >= *ret_until_ms)
        json_fault(&req->faults, "?until", "is not after since");
}

#define SPAN_MS_MAX ((ROLLUP_BUCKETS_MAX - 2) * (int64_t)DAY_MS)

/* "All there is" may reach from a clock that stood at 1970 to a mistake in 2099: the part that is
 * shown then ends by now and has as many days as a chart may have buckets. */
static void cut(int64_t *first_ms, int64_t *last_ms)
{
    int64_t now_ms = clock_now_ms() / HOUR_MS * HOUR_MS;

    if (*last_ms - *first_ms <= SPAN_MS_MAX)
        return;
    if (*last_ms > now_ms && *first_ms < now_ms)
        *last_ms = now_ms;
    if (*last_ms - *first_ms > SPAN_MS_MAX)
        *first_ms = *last_ms - SPAN_MS_MAX;
}

/* An hour before 1970 or after 2099 has no text: the period is then the first or the last hour. */
static void keep_in_range(int64_t *since_ms, int64_t *until_ms)
{
    if (*since_ms < TIME_MS_MIN) {
        *since_ms = TIME_MS_MIN;
        if (*until_ms < TIME_MS_MIN + HOUR_MS)
            *until_ms = TIME_MS_MIN + HOUR_MS;
    }
    if (*until_ms > TIME_MS_MAX) {
        *until_ms = TIME_MS_MAX;
        if (*since_ms > TIME_MS_MAX - HOUR_MS)
            *since_ms = TIME_MS_MAX - HOUR_MS;
    }
}

enum err_code period_complete(struct db *db, int64_t *since_ms, int64_t *until_ms, struct err *err)
{
    int64_t first_ms, last_ms;

    TRY(rollup_range(db, &first_ms, &last_ms, err));
    if (first_ms == FIELD_NULL_INT) {
        int64_t hour_ms = clock_now_ms() / HOUR_MS * HOUR_MS;

        first_ms = hour_ms - DAY_MS;
        last_ms = hour_ms;
    }
    cut(&first_ms, &last_ms);
    if (*until_ms == FIELD_NULL_INT)
        *until_ms = last_ms + HOUR_MS;
    if (*since_ms == FIELD_NULL_INT)
        *since_ms = first_ms < *until_ms ? first_ms : *until_ms - HOUR_MS;
    if (*until_ms <= *since_ms) /* all data lies before what was asked for */
        *until_ms = *since_ms + HOUR_MS;
    keep_in_range(since_ms, until_ms);
    return ERR_NONE;
}
