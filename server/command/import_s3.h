#pragma once
/* An archive's objects in S3, for `pairwatch import`. One thread. */
#include "aws/client.h"

struct arena;

struct import_s3 { /* zeroed; opened when the first of them is named */
    struct aws *aws;
    struct aws_link *link;
};
void import_s3_done(struct import_s3 *s3);

bool import_is_s3(const char *path); /* "s3://…" */
/* The object of that name, or those below it that end in .parquet, as "s3://…" in arena, at most
 * max in all. ERR_USAGE when it is no place in S3; as s3_list. */
NODISCARD enum err_code import_s3_list(struct import_s3 *s3, const char *uri, size_t max,
                                       struct arena *arena, const char **ret, size_t *count,
                                       struct err *err);
/* Into a file without a name in temp_dir; *ret_fd is the caller's. */
NODISCARD enum err_code import_s3_fetch(struct import_s3 *s3, const char *uri, const char *temp_dir,
                                        int *ret_fd, struct err *err);
