#pragma once
/* Counts by hour, spec and model, with a histogram of scores: what the charts read. */
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

/* Bin i counts scores in [ROLLUP_LOW + i * ROLLUP_WIDTH, + ROLLUP_WIDTH); what lies outside is
 * counted into the first or last bin. Dot products of IP Insights stay within some tens. */
enum { ROLLUP_BINS = 256 };
#define ROLLUP_LOW   (-64.0)
#define ROLLUP_WIDTH 0.5

struct rollup {
    int64_t time_ms; /* start of the hour or day */
    uint64_t observations, events, flagged;
    uint64_t unknown_entities; /* observations of entities without history */
    uint64_t unseen_networks;  /* in a /16 (IPv6 /32) that the entity has not used */
    uint64_t bins[ROLLUP_BINS];
};
struct rollup_list {
    struct rollup *items;
    size_t count;
};
enum { ROLLUP_BUCKETS_MAX = 10000 };

struct rollup_filter {
    int64_t since_ms, until_ms; /* required: [since, until) */
    const char *spec, *model;   /* NULL = all */
};
/* Buckets in time order, empty ones left out. ERR_TOO_LARGE over ROLLUP_BUCKETS_MAX. */
NODISCARD enum err_code rollup_series(struct db *db, struct arena *arena,
                                      const struct rollup_filter *filter, int64_t bucket_ms,
                                      struct rollup_list *ret, struct err *err);
/* One bucket over the whole period; time_ms is filter->since_ms. */
NODISCARD enum err_code rollup_sum(struct db *db, const struct rollup_filter *filter,
                                   struct rollup *ret, struct err *err);
/* The first and last hour with data; FIELD_NULL_INT both when there is none. */
NODISCARD enum err_code rollup_range(struct db *db, int64_t *ret_first_ms, int64_t *ret_last_ms,
                                     struct err *err);
/* The spec with most observations, and the model last used for a spec, in the period; NULL when
 * there is none. */
NODISCARD enum err_code rollup_main_spec(struct db *db, struct arena *arena,
                                         const struct rollup_filter *filter, const char **ret,
                                         struct err *err);
NODISCARD enum err_code rollup_last_model(struct db *db, struct arena *arena,
                                          const struct rollup_filter *filter, const char **ret,
                                          struct err *err);

int rollup_bin(double score);

/* Sums over everything that was ever stored. */
struct rollup_totals {
    int64_t observations, flagged;
};
NODISCARD enum err_code rollup_totals(struct db *db, struct rollup_totals *ret, struct err *err);
/* For ingest, once a batch. */
NODISCARD enum err_code rollup_totals_add(struct db *db, const struct rollup_totals *add,
                                          struct err *err);

/* For ingest: counts of a batch, kept in memory and written once. */
struct rollup_key {
    int64_t hour_ms, spec_id, model_id;
};
struct rollup_row {
    struct rollup_key key;
    int64_t observations, events, flagged, unknown_entities, unseen_networks;
    uint32_t bins[ROLLUP_BINS];
};
/* Adds row to what is stored under its key. */
NODISCARD enum err_code rollup_add(struct db *db, const struct rollup_row *row, struct err *err);
