#pragma once
/* What `pairwatch check SUBJECT` looks at. Each subject lives in a file of its own and says one
 * line for each thing that it checked. */
#include "base/err.h"
#include <stdbool.h>

struct check_options {
    const char *database;
    const char *queue, *scorer, *aws_role, *aws_external_id, *object; /* of aws */
    const char *athena_output, *athena_database, *athena_workgroup;
    const char *sagemaker_bucket, *sagemaker_role, *image, *deploy;
    const char *archive;
};

/* "ok" or "FAULT", the name, and what was found. */
void check_print(const char *name, bool sound, const char *text);

/* *ret_faults of the lines said FAULT. An error is what could not be checked at all. */
typedef enum err_code check_subject(const struct check_options *options, int *ret_faults,
                                    struct err *err);
check_subject check_subject_store;
check_subject check_subject_aws;
