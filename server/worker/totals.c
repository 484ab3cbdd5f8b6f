#include "worker/totals.h"

#include <stdio.h>

#include "base/tally.h"

void totals_add(struct worker_totals *sum, const struct worker_totals *add)
{
    sum->objects += add->objects;
    sum->failed += add->failed;
    sum->repeated += add->repeated;
    sum->rows += add->rows;
    sum->pairs += add->pairs;
    sum->scored += add->scored;
    for (int i = 0; i < UNSCORED__MAX; i++)
        sum->unscored[i] += add->unscored[i];
    sum->unscored_no_model += add->unscored_no_model;
    sum->unscored_no_spec += add->unscored_no_spec;
    sum->unscored_refused += add->unscored_refused;
    sum->unscored_ipv6 += add->unscored_ipv6;
    sum->flagged += add->flagged;
    sum->findings_new += add->findings_new;
    sum->findings_updated += add->findings_updated;
    for (int i = 0; i < ARRIVAL_LAG_BINS; i++)
        sum->lag_bins[i] += add->lag_bins[i];
    sum->lag_ms += add->lag_ms;
    if (add->stored_ms > sum->stored_ms)
        sum->stored_ms = add->stored_ms;
}

void totals_stored(struct worker_totals *totals, int64_t made_ms, int64_t now_ms)
{
    int64_t lag_ms = now_ms > made_ms ? now_ms - made_ms : 0;

    totals->stored_ms = now_ms;
    if (made_ms == 0)
        return;
    totals->lag_bins[arrival_lag_bin(lag_ms)]++;
    totals->lag_ms += (uint64_t)lag_ms;
}

uint64_t totals_unscored(const struct worker_totals *totals)
{
    uint64_t sum = totals->unscored_no_model + totals->unscored_no_spec + totals->unscored_refused +
                   totals->unscored_ipv6;

    for (int i = 0; i < UNSCORED__MAX; i++)
        sum += totals->unscored[i];
    return sum;
}

size_t totals_counters(const struct worker_totals *totals,
                       struct tally ret[static TOTALS_COUNTERS_MAX])
{
    const struct {
        const char *name;
        uint64_t value;
    } PLAIN[] = {
        {"objects_stored", totals->objects - totals->failed},
        {"objects_failed", totals->failed},
        {"objects_rows", totals->rows},
        {"objects_pairs", totals->pairs},
        {"objects_scored", totals->scored},
        {"unscored_no_model", totals->unscored_no_model},
        {"unscored_no_spec", totals->unscored_no_spec},
        {"unscored_refused", totals->unscored_refused},
        {"unscored_ipv6", totals->unscored_ipv6},
        {"lag_ms", totals->lag_ms},
    };
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(PLAIN); i++) {
        (void)snprintf(ret[count].name, sizeof ret[count].name, "%s", PLAIN[i].name);
        ret[count++].value = PLAIN[i].value;
    }
    for (int i = 0; i < UNSCORED__MAX; i++) {
        (void)snprintf(ret[count].name, sizeof ret[count].name, "unscored_%s", UNSCORED_WORDS[i]);
        ret[count++].value = totals->unscored[i];
    }
    for (int i = 0; i < ARRIVAL_LAG_BINS; i++) {
        (void)snprintf(ret[count].name, sizeof ret[count].name, "lag_bin_%d", i);
        ret[count++].value = totals->lag_bins[i];
    }
    return count;
}

void watch_init(struct worker_watch *watch)
{
    *watch = (struct worker_watch){.in_flight = 0};
    (void)pthread_mutex_init(&watch->lock, NULL);
}

void watch_done(struct worker_watch *watch)
{
    (void)pthread_mutex_destroy(&watch->lock);
}

void watch_add(struct worker_watch *watch, const struct worker_totals *add)
{
    (void)pthread_mutex_lock(&watch->lock);
    totals_add(&watch->totals, add);
    (void)pthread_mutex_unlock(&watch->lock);
}

void watch_read(struct worker_watch *watch, struct worker_totals *ret)
{
    (void)pthread_mutex_lock(&watch->lock);
    *ret = watch->totals;
    (void)pthread_mutex_unlock(&watch->lock);
}
