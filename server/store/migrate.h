#pragma once
/* Numbered migrations, built into the binary under migrations/ENGINE/NNNN_name.sql, applied in
 * order, one transaction each, with the SHA-256 of their text recorded. A database that an altered
 * or an unknown (newer) migration has made is refused. */
#include "base/err.h"

struct arena;
struct db;

/* Recorded among the migrations while a copy fills the database, which is refused until it is done:
 * ERR_CONFLICT. */
#define MIGRATE_COPYING "unfinished copy"

/* Makes the database when there is none and brings it to this version. */
NODISCARD enum err_code migrate_run(const char *url, struct err *err);
/* ERR_INVALID when the database is older (run `pairwatch migrate`), newer or altered. */
NODISCARD enum err_code migrate_check(struct db *db, struct err *err);
/* The name of the last one that was applied; "" when none was. */
NODISCARD enum err_code migrate_newest(struct db *db, struct arena *arena, const char **ret,
                                       struct err *err);
