#pragma once
/* Counts all observations again and holds rollups, counters, the ledger and the dictionaries
 * against that. Private to check.c. Memory: a kilobyte for each hour, spec and model, five bytes
 * for each object, a bit for each entity. */
#include "base/err.h"
#include <stdint.h>

struct db;

struct recount {
    int64_t observations, hours, objects; /* that were counted */
    int64_t whole_since_ms;               /* before it observations may have been let go of */
    /* "" = sound, or the first thing that is wrong */
    char rollups[256], counters[256], ledger[256], references[256];
};
NODISCARD enum err_code recount_run(struct db *db, struct recount *ret, struct err *err);
