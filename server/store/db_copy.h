#pragma once
/* Copies a SQLite store whole into an empty PostgreSQL database, in slices of one transaction each.
 * A copy that was interrupted is gone on with when it is started again; until it is done, nothing
 * else opens the target (MIGRATE_COPYING). In the end every table is read from both and its SHA-256
 * compared. The store must not be written to meanwhile: what changed behind the copy is found then,
 * and the target has to be emptied. */
#include "base/crypto.h"
#include "base/err.h"
#include <stdint.h>

struct db_copied { /* one table, verified */
    const char *table;
    uint64_t rows;
    char sha256[SHA256_HEX_BYTES]; /* over its rows in order of their key */
};

/* Makes the tables of the target. tell is called after each table that was compared. ERR_INVALID
 * when the source is no SQLite store, the target no PostgreSQL, or not empty; ERR_CORRUPT when the
 * two differ in the end. */
NODISCARD enum err_code db_copy(const char *from_url, const char *to_url,
                                void (*tell)(void *context, const struct db_copied *copied),
                                void *context, struct err *err);
