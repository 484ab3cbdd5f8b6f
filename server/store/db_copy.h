#pragma once
/* Copies a SQLite store whole into an empty PostgreSQL database: one snapshot of the one, one
 * transaction of the other, so an interrupted copy leaves nothing and is started again. Each table
 * is read back and its SHA-256 compared before the commit. The store may be in use meanwhile; what
 * is written to it after the start is not in the copy. */
#include "base/crypto.h"
#include "base/err.h"
#include <stdint.h>

struct db_copied { /* one table, verified */
    const char *table;
    uint64_t rows;
    char sha256[SHA256_HEX_BYTES]; /* over its rows in order of their key */
};

/* Makes the tables of the target. tell is called after each table. ERR_INVALID when the source is
 * no SQLite store, the target no PostgreSQL, or not empty; ERR_CORRUPT when what is read back is
 * not what was written. */
NODISCARD enum err_code db_copy(const char *from_url, const char *to_url,
                                void (*tell)(void *context, const struct db_copied *copied),
                                void *context, struct err *err);
