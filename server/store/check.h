#pragma once
/* What must hold in any store: the file is whole, the schema's indexes are there and used, the
 * chain of changes follows, counters equal recounts, every reference leads somewhere. Reads one
 * snapshot; nothing waits for it, but SQLite's log grows meanwhile. */
#include "base/err.h"
#include <stdbool.h>

struct db;

struct check_line {
    const char *name;
    bool sound;
    char text[ERR_TEXT_BYTES]; /* what was checked, or the first thing that is wrong */
};
typedef void check_tell(void *context, const struct check_line *line);

/* On a reading connection; tells of each check as it ends. *ret_faults of them were not sound. An
 * error is a check that could not be made. */
NODISCARD enum err_code check_store(struct db *db, check_tell *tell, void *context, int *ret_faults,
                                    struct err *err);
