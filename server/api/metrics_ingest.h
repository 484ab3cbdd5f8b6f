#pragma once
/* The part of GET /metrics about objects and their workers: what the ledger's transactions counted,
 * and what workers tell every few seconds. */
#include "base/err.h"

struct arena;
struct db;
struct str;

NODISCARD enum err_code metrics_ingest(struct str *out, struct db *db, struct arena *arena,
                                       struct err *err);
