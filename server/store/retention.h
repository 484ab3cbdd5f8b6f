#pragma once
/* Letting go of what is old: by age for each kind of row, and of the oldest observations when the
 * database is larger than it may be. What goes, goes in steps of a writer's job each, small enough
 * that an analyst's request behind one does not notice. Findings that are new or in progress stay,
 * whatever their age, with their sightings, notes and explanation.
 *
 * Observations of findings go with them. The hours before the counter whole_since_ms may lack
 * observations; rollups keep their counts. Changes go from the beginning, and the chain goes on
 * from the hash kept in change_start; the removal is itself a change. */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct db;

/* How long each kind is kept; 0 = for good. */
struct retention_rules {
    int64_t observations_ms; /* that nothing flagged; by the day of their last_ms */
    int64_t hours_ms;        /* rollups by hour: afterwards one row holds the day */
    int64_t rollups_ms;      /* those too */
    int64_t findings_ms;     /* resolved and suppressed, since they were seen or changed last */
    int64_t changes_ms;
    int64_t objects_ms; /* the ledger; an object delivered again later is read again */
    int64_t bytes_max;  /* of the database */
};

/* Everything before these goes; 0 = nothing. */
struct retention_cutoffs {
    int64_t observations_ms, hours_ms, rollups_ms, findings_ms, changes_ms, objects_ms;
};
/* Rollups by hour stay as long as the observations they count, and the ledger a day longer. */
struct retention_cutoffs retention_cutoffs(const struct retention_rules *rules, int64_t now_ms);

enum retention_kind {
    RETENTION_OBSERVATIONS,
    RETENTION_FINDINGS,
    RETENTION_CHANGES,
    RETENTION_OBJECTS,
    RETENTION_HOURS,
    RETENTION_ROLLUPS,
    RETENTION_SPACE, /* pages given back to the file system */
    RETENTION__KINDS
};
extern const char *const RETENTION_KIND_WORDS[];

/* A writer's job: the next step of a kind. */
struct retention_step {
    enum retention_kind kind;
    struct retention_cutoffs cutoffs;
    bool archive;   /* observations go to the table archive, from where they are written out */
    int64_t cursor; /* of the kind; 0 at first */
    int64_t gone;   /* rows (or pages) of this step */
    bool more;      /* there is another step */
};
enum err_code retention_step_run(struct db *db, void *step, struct err *err);

/* What would go, on any connection. */
struct retention_sums {
    int64_t observations, observation_bytes;
    int64_t findings, sightings;
    int64_t changes, objects, hours, rollups;
    int64_t used_bytes, file_bytes;
};
NODISCARD enum err_code retention_sum(struct db *db, const struct retention_cutoffs *cutoffs,
                                      struct retention_sums *ret, struct err *err);

/* The start of the oldest day that has packed observations, -1 when there is none. */
NODISCARD enum err_code retention_oldest_day(struct db *db, int64_t *ret_ms, struct err *err);
