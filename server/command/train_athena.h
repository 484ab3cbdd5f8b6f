#pragma once
/* Training pairs out of Security Lake's tables, by Amazon Athena. */
#include "base/conf.h"
#include "command/pairs_input.h"

struct athena_options {
    const char *output; /* s3://bucket/prefix/ for what queries leave */
    const char *workgroup, *catalog;
    const char *database;           /* NULL = Security Lake's of the region */
    struct conf_list tables;        /* none = Security Lake's of the specs' sources */
    int64_t version;                /* of the sources: 1, 2; 0 = 2 where there is one, else 1 */
    const char *role, *external_id; /* to assume, or NULL */
};
enum {
    ATHENA_WAIT_MS_MAX = 4 * 3600 * 1000, /* for a query */
    ATHENA_POLL_FIRST_MS = 500,
    ATHENA_POLL_LAST_MS = 15 * 1000,
    ATHENA_FILES_MAX = 100 * 1000, /* of a query's result */
    ATHENA_MANIFEST_BYTES_MAX = 128 << 20,
};
/* A query for each table, one after the other; stopped when a stop is asked for. What it leaves in
 * S3 stays there. ERR_NOT_FOUND names the tables that were looked for. */
NODISCARD enum err_code train_athena(const struct athena_options *options,
                                     struct pairs_input *input, struct err *err);
