#pragma once
/* Where a service answers. Any thread. */
#include "aws/client.h"

struct endpoint_options {
    bool fips, dual_stack;
    const char *custom[AWS_SERVICE__MAX]; /* AWS_ENDPOINT_URL_*, or NULL */
};
/* From the environment; texts are environ's. */
void endpoint_options_read(struct endpoint_options *ret);
/* "https://sqs.eu-west-1.amazonaws.com", without a path; *ret_bucket_in_host says whether bucket
 * (S3 only) is part of it. */
const char *endpoint_url(const struct endpoint_options *options, enum aws_service service,
                         const char *region, const char *bucket, struct arena *arena,
                         bool *ret_bucket_in_host);
const char *endpoint_signing_name(enum aws_service service);
