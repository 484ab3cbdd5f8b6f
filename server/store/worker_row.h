#pragma once
/* The workers that are running, by what they say of themselves. */
#include "base/err.h"
#include "base/field.h"
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

enum {
    WORKER_PULSE_MS = 10 * 1000,  /* they say it this often */
    WORKER_SILENT_MS = 60 * 1000, /* and are taken for gone after this time */
    WORKER_FORGET_MS = 24 * 3600 * 1000,
    WORKER_ROWS_MAX = 1000,
};

struct worker_row {
    const char *uid, *host, *queue, *version;
    int64_t started, seen, in_flight;
};
extern const struct field WORKER_FIELDS[];
struct worker_list {
    struct worker_row *items;
    size_t count;
};
/* Those heard of since, the youngest first. */
NODISCARD enum err_code worker_list(struct db *db, struct arena *arena, int64_t since_ms,
                                    struct worker_list *ret, struct err *err);

struct worker_counter { /* what has been counted since the last pulse */
    const char *name;
    uint64_t value;
};
/* A writer's job: the worker lives, its leases last on, its counters grow. */
struct worker_pulse_job {
    struct worker_row row;
    const struct worker_counter *counters;
    size_t counter_count;
};
enum err_code worker_pulse_job_run(struct db *db, void *job, struct err *err);
/* A writer's job: the worker has ended in order. uid is what it gets. */
enum err_code worker_gone_job_run(struct db *db, void *uid, struct err *err);
