#pragma once
/* Reading back the observations of an archive's object (worker/archive.h says how it is made). One
 * thread. */
#include "base/err.h"
#include "base/ip.h"
#include <stdint.h>

struct archived {
    int64_t first_ms, last_ms;
    uint64_t count;
    const char *spec, *entity, *model; /* until the visit returns */
    struct ip ip;
    double score, percentile; /* NAN = unknown */
};
typedef enum err_code archived_visit(void *context, const struct archived *row, struct err *err);

/* Every row, those of a model together, in the order of their time; *ret_rows of them.
 * ERR_UNAVAILABLE without libduckdb.so, ERR_INVALID when it is no object of an archive, and what
 * visit fails with. */
NODISCARD enum err_code archive_read(const char *path, uint64_t *ret_rows, archived_visit *visit,
                                     void *context, struct err *err);
