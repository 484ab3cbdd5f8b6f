#pragma once
/* What an operator asks of the objects' arrival (arrival.h): how late are we, now and over a week;
 * what came of each source and failed last; which hours are missing. */
#include "store/arrival.h"

enum {
    ARRIVAL_WEEK_HOURS = 7 * 24,
    ARRIVAL_SOURCES_MAX = 200,
    ARRIVAL_GAPS_MAX = 500,         /* listed; all are counted */
    ARRIVAL_GAP_ROWS_MAX = 4000000, /* read; more series than that are not looked at */
};

struct arrival_lag { /* of some hours */
    int64_t hour, stored, failed, max_ms;
    int64_t bins[ARRIVAL_LAG_BINS];
};
/* The lag under which a share q of the objects was, from the bins by interpolation; NAN without
 * any. */
double arrival_lag_quantile_ms(const struct arrival_lag *lag, double q);
struct arrival_lag_list {
    struct arrival_lag *items; /* hours that have any, oldest first */
    size_t count;
};
/* source NULL = all together. */
NODISCARD enum err_code arrival_lag_series(struct db *db, struct arena *arena, const char *source,
                                           int64_t since_ms, int64_t until_ms,
                                           struct arrival_lag_list *ret, struct err *err);

struct arrival_source {
    const char *source;     /* "" = keys of another layout */
    int64_t stored, failed; /* since what was asked for */
    int64_t last_stored;    /* FIELD_NULL_INT = never, as what follows */
    int64_t newest_object;  /* when it was made */
    int64_t newest_event;
    int64_t lag_ms; /* of the object stored last */
    int64_t last_error;
    const char *error_code, *error;
    int64_t error_object;
};
struct arrival_source_list {
    struct arrival_source *items; /* by name */
    size_t count;
};
NODISCARD enum err_code arrival_sources(struct db *db, struct arena *arena, int64_t since_ms,
                                        struct arrival_source_list *ret, struct err *err);

/* Hours without an event though the hours beside them have some, or the same hour of the week
 * before. The hour that is newest anywhere is not complete and not judged. */
struct arrival_gap {
    const char *source, *region, *account;
    int64_t since_ms, until_ms;
};
struct arrival_gap_list {
    int64_t since_ms, until_ms; /* what was judged; equal: nothing */
    struct arrival_gap *items;
    size_t count;
    int64_t hours; /* missing in all, also of gaps that are not listed */
    int64_t gaps;  /* likewise */
    bool more;     /* not every series was looked at */
};
NODISCARD enum err_code arrival_gaps(struct db *db, struct arena *arena, int64_t now_ms,
                                     struct arrival_gap_list *ret, struct err *err);

struct counter {
    const char *name;
    int64_t value;
};
enum { COUNTERS_MAX = 1000 };
struct counter_list {
    struct counter *items; /* by name */
    size_t count;
};
NODISCARD enum err_code counter_list(struct db *db, struct arena *arena, struct counter_list *ret,
                                     struct err *err);
