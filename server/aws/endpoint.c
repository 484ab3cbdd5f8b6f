/* Host names by service, region and partition (AWS general reference, "Service endpoints"). */
#include "aws/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

const char *const AWS_SERVICE_WORDS[AWS_SERVICE__MAX + 1] = {
    "sqs", "s3", "sagemaker-runtime", "sagemaker", "athena", "logs", "sts", NULL};

struct service {
    const char *host, *fips_host; /* before the region */
    const char *signing_name;
    const char *variable;
};
static const struct service SERVICES[AWS_SERVICE__MAX] = {
    [AWS_SQS] = {"sqs", "sqs-fips", "sqs", "AWS_ENDPOINT_URL_SQS"},
    [AWS_S3] = {"s3", "s3-fips", "s3", "AWS_ENDPOINT_URL_S3"},
    [AWS_SAGEMAKER_RUNTIME] = {"runtime.sagemaker", "runtime-fips.sagemaker", "sagemaker",
                               "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"},
    [AWS_SAGEMAKER] = {"api.sagemaker", "api-fips.sagemaker", "sagemaker",
                       "AWS_ENDPOINT_URL_SAGEMAKER"},
    [AWS_ATHENA] = {"athena", "athena-fips", "athena", "AWS_ENDPOINT_URL_ATHENA"},
    [AWS_LOGS] = {"logs", "logs-fips", "logs", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"},
    [AWS_STS] = {"sts", "sts-fips", "sts", "AWS_ENDPOINT_URL_STS"},
};

/* Partitions with names of their own; every other region is amazonaws.com. */
static const struct {
    const char *region_prefix, *suffix, *dual_stack_suffix;
} PARTITIONS[] = {
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"us-iso-", "c2s.ic.gov", "c2s.ic.gov"},
    {"us-isob-", "sc2s.sgov.gov", "sc2s.sgov.gov"},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"", "amazonaws.com", "api.aws"},
};

static bool is_on(const char *variable)
{
    const char *text = getenv(variable);
    bool on = false;

    return text != NULL && str_to_bool(text, &on) && on;
}

void endpoint_options_read(struct endpoint_options *ret)
{
    const char *general = getenv("AWS_ENDPOINT_URL");

    *ret = (struct endpoint_options){
        .fips = is_on("AWS_USE_FIPS_ENDPOINT"),
        .dual_stack = is_on("AWS_USE_DUALSTACK_ENDPOINT"),
    };
    if (is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
        return;
    for (int i = 0; i < AWS_SERVICE__MAX; i++) {
        const char *own = getenv(SERVICES[i].variable);

        ret->custom[i] = own != NULL && own[0] != '\0' ? own : general;
        if (ret->custom[i] != NULL && ret->custom[i][0] == '\0')
            ret->custom[i] = NULL;
    }
}

const char *endpoint_signing_name(enum aws_service service)
{
    return SERVICES[service].signing_name;
}

static const char *trimmed(const char *url, struct arena *arena)
{
    size_t length = strlen(url);

    while (length > 0 && url[length - 1] == '/')
        length--;
    return arena_strndup(arena, url, length);
}

const char *endpoint_url(const struct endpoint_options *options, enum aws_service service,
                         const char *region, const char *bucket, struct arena *arena,
                         bool *ret_bucket_in_host)
{
    const struct service *of = &SERVICES[service];
    const char *host = options->fips ? of->fips_host : of->host;
    const char *suffix;
    size_t p = 0;

    *ret_bucket_in_host = false;
    if (options->custom[service] != NULL)
        return trimmed(options->custom[service], arena);
    while (!str_starts(region, PARTITIONS[p].region_prefix))
        p++;
    suffix = options->dual_stack ? PARTITIONS[p].dual_stack_suffix : PARTITIONS[p].suffix;
    if (service != AWS_S3)
        return arena_printf(arena, "https://%s.%s.%s", host, region, suffix);
    /* S3 keeps its old suffix; a dot in the bucket's name does not fit the certificate. */
    *ret_bucket_in_host = bucket != NULL && strchr(bucket, '.') == NULL;
    return arena_printf(arena, "https://%s%s%s%s.%s.%s", *ret_bucket_in_host ? bucket : "",
                        *ret_bucket_in_host ? "." : "", host,
                        options->dual_stack ? ".dualstack" : "", region, PARTITIONS[p].suffix);
}
