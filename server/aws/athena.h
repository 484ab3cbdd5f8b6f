#pragma once
/* Amazon Athena: a query from its start to its end, and what a table's columns are. Over the
 * caller's link. */
#include "aws/client.h"

struct arena;

enum {
    ATHENA_ID_BYTES = 129,
    ATHENA_REASON_BYTES = 320,
    ATHENA_TOKEN_BYTES = 65,
    ATHENA_URI_BYTES = 1152, /* "s3://bucket/key" */
    ATHENA_TABLE_COLUMNS_MAX = 2000,
};

struct athena_asked {
    const char *query;
    const char *catalog, *database;
    const char *workgroup; /* NULL = primary */
    const char *output; /* s3://bucket/prefix/ of results and manifests; NULL = the workgroup's */
    const char *token;  /* the same one starts the query once: 32 to 128 characters */
    const atomic_bool *stop;
};
NODISCARD enum err_code athena_start(struct aws_link *link, const struct athena_asked *asked,
                                     char ret_id[static ATHENA_ID_BYTES], struct err *err);

enum athena_state { ATHENA_RUNNING, ATHENA_SUCCEEDED, ATHENA_FAILED, ATHENA_CANCELLED };
struct athena_status {
    enum athena_state state; /* queued counts as running */
    char reason[ATHENA_REASON_BYTES];
    int64_t scanned_bytes;
    char manifest[ATHENA_URI_BYTES]; /* of the files that UNLOAD wrote; "" = none */
};
NODISCARD enum err_code athena_status(struct aws_link *link, const char *id,
                                      const atomic_bool *stop, struct athena_status *ret,
                                      struct err *err);
/* Nothing is scanned any more, or paid for. */
NODISCARD enum err_code athena_stop(struct aws_link *link, const char *id, struct err *err);

struct athena_field {
    const char *name, *type;
};
/* Columns and partition keys, in arena. ERR_NOT_FOUND: no such table, or none that one may see. */
NODISCARD enum err_code athena_columns(struct aws_link *link, const char *catalog,
                                       const char *database, const char *table,
                                       const char *workgroup, struct arena *arena,
                                       struct athena_field **ret, size_t *ret_count,
                                       struct err *err);
