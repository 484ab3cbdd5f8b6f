#pragma once
/* What a model's scores were of late: a rolling window of the newest WINDOW_DAYS days on which any
 * were stored (UTC), by model and spec, for thresholds and percentiles between trainings. A day is
 * judged by those before it, which nothing changes any more: so whoever scores a pair, in whichever
 * order and however often it is begun again, gives it the same percentile.
 *
 * A day keeps a sample of its distinct pairs: those with the smallest hashes, WINDOW_DAY_PAIRS at
 * most ("bottom-k": Cohen and Kaplan 2007). So a pair counts once however often it is seen, days
 * can be put together, and everyone who writes chooses the same ones. Entities without history do
 * not count; they are not what is usual.
 *
 * body of score_window: entries of 12 bytes in the order of their hashes, each the hash (64 bits)
 * and the score (IEEE 754 single), little-endian. */
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

enum { WINDOW_DAYS = 7, WINDOW_DAY_PAIRS = 4096 };
enum { WINDOW_SAMPLE_MIN = 1000 }; /* pairs, below which it says nothing of percentiles */

struct window_entry {
    uint64_t hash; /* of the pair: window_hash */
    float score;
};
struct ip;
uint64_t window_hash(int64_t entity_id, const struct ip *ip);

/* Within the writer's transaction. Sorts entries. A day too old for the window is passed over. */
NODISCARD enum err_code window_add(struct db *db, int64_t model_id, int64_t spec_id, int64_t day_ms,
                                   struct window_entry *entries, size_t count, struct err *err);

struct window {
    int64_t first_day_ms, last_day_ms;
    int64_t days;       /* that have any; 0: no window */
    float *scores;      /* ascending, one of each sampled pair */
    size_t sample_size; /* of them */
    double pairs;       /* distinct ones, as far as the sample tells */
};
/* Of the days before a time; INT64_MAX: all. In the arena. */
NODISCARD enum err_code window_read(struct db *db, struct arena *arena, const char *model_id,
                                    const char *spec, int64_t before_ms, struct window *ret,
                                    struct err *err);
/* Where a score stands in it, 0..100, never finer than the sample: 100 - 1000/n is the most. NAN
 * while that is no number above 0. */
double window_percentile(const struct window *window, double score);
/* The score that so many of the window's pairs are above; NAN when fewer than ten of the sample
 * would be, which tell nothing. */
double window_threshold(const struct window *window, double wanted);

/* How a threshold was set. The values are stored. */
enum window_rule_kind {
    WINDOW_RULE_NONE, /* not told: of an outside detector, say */
    WINDOW_RULE_BUDGET,
    WINDOW_RULE_PERCENTILE,
    WINDOW_RULE_SCORE,
    WINDOW_RULE__MAX
};
extern const char *const WINDOW_RULE_WORDS[WINDOW_RULE__MAX]; /* NULL for none */
struct window_rule {
    int64_t kind;
    double value; /* pairs a day (at most one in a hundred), a percentile, or a score */
    double least; /* the window's threshold goes no lower; NAN = no limit */
};
/* The threshold that the window gives by the rule; NAN: it tells too little, or the rule is a
 * score, and the model's own threshold holds. */
double window_rule_threshold(const struct window *window, const struct window_rule *rule);
