#pragma once
/* The task of one process for all: lets go of what is old, step by step through the writer, with
 * pauses in which others write; what leaves for the archive is durable there before it is gone
 * here. On PostgreSQL an advisory lock names the process that does it. */
#include "base/err.h"
#include "store/retention.h"
#include "worker/archive.h"
#include <stdatomic.h>
#include <stdint.h>

struct writer;

struct retain_options {
    const char *database_url;
    struct retention_rules rules;
    struct archive_options archive;
    int64_t every_ms;
    struct writer *writer;
    const atomic_bool *stop;
};

struct retain_report {
    int64_t gone[RETENTION__KINDS]; /* rows; of RETENTION_SPACE pages */
    int64_t archived;               /* rows */
    bool led;                       /* false: another process is at it */
};

/* Whether any rule lets anything go, or an archive may have something to finish. */
bool retain_is_wanted(const struct retain_options *options);
/* Until nothing is left to go, or stopped (ERR_CANCELLED). */
NODISCARD enum err_code retain_pass(const struct retain_options *options, int64_t now_ms,
                                    struct retain_report *ret, struct err *err);
/* The cut that the size asks for: observations of older days go too. What ages alone ask for when
 * the database is small enough. */
NODISCARD enum err_code retain_cutoffs(const struct retain_options *options, struct db *db,
                                       int64_t now_ms, struct retention_cutoffs *ret,
                                       struct err *err);
/* Every every_ms until stopped; a failure is logged and tried again. */
void retain_loop(const struct retain_options *options);
