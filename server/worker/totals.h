#pragma once
/* What a worker has done: of one object, of a batch, since it began. */
#include "base/tally.h"
#include "lake/pairs.h"
#include "store/arrival.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct worker_totals {
    bool began; /* everything was there to start with */
    uint64_t objects, failed, repeated;
    uint64_t rows, pairs, scored;
    uint64_t unscored[UNSCORED__MAX];
    uint64_t unscored_no_model; /* the model was not trained on the spec */
    uint64_t unscored_no_spec;  /* of no spec that is read: other classes, other products */
    uint64_t unscored_refused;  /* the endpoint's model refused the pair */
    uint64_t unscored_ipv6;     /* the endpoint's model takes none */
    uint64_t flagged, findings_new, findings_updated;
    /* From an object's making to its results being stored, where the making is known. */
    uint64_t lag_bins[ARRIVAL_LAG_BINS], lag_ms;
    int64_t stored_ms; /* when the last object was; 0 = none */
};
void totals_add(struct worker_totals *sum, const struct worker_totals *add);
/* An object was stored now. made_ms: 0 = not known. */
void totals_stored(struct worker_totals *totals, int64_t made_ms, int64_t now_ms);
uint64_t totals_unscored(const struct worker_totals *totals);
/* By the names that the store's counters have (store/arrival_view.h). Returns how many. */
enum { TOTALS_COUNTERS_MAX = 16 + UNSCORED__MAX + ARRIVAL_LAG_BINS };
size_t totals_counters(const struct worker_totals *totals,
                       struct tally ret[static TOTALS_COUNTERS_MAX]);

/* Totals that other threads may look at while the worker runs. */
struct worker_watch {
    atomic_int_least64_t in_flight; /* objects in hand */
    pthread_mutex_t lock;           /* guards what follows */
    struct worker_totals totals;
};
void watch_init(struct worker_watch *watch);
void watch_done(struct worker_watch *watch);
void watch_add(struct worker_watch *watch, const struct worker_totals *add);
void watch_read(struct worker_watch *watch, struct worker_totals *ret);
