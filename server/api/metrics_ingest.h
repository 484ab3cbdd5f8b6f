#pragma once
/* The part of GET /metrics about objects and their workers: what the ledger's transactions counted,
 * and what workers tell every few seconds. */
#include "base/err.h"

struct arena;
struct counter_list;
struct db;
struct str;

NODISCARD enum err_code metrics_ingest(struct str *out, struct db *db, struct arena *arena,
                                       struct err *err);
/* What is only counted, from counters by the store's names: for a worker that has no database. */
void metrics_counters(struct str *out, const struct counter_list *counters);
