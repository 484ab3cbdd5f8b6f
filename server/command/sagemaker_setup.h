#pragma once
/* What `train --on sagemaker` and `model deploy` share: the settings of AWS, the place in S3, a
 * word before money is spent. */
#include "aws/client.h"
#include "aws/s3.h"
#include "base/err.h"
#include <stdbool.h>

struct sagemaker_options {
    const char *image;  /* in ECR */
    const char *role;   /* ARN of the role that SageMaker runs it as */
    const char *bucket; /* s3://BUCKET/PREFIX/ for what is uploaded */
    const char *instance_type;
    int64_t instances, memory_mb, concurrency; /* of endpoints; memory_mb 0 = on instances */
    int64_t volume_gb, job_ms_max;             /* of training jobs */
    bool yes;
};
#define SAGEMAKER_INSTANCE_DEFAULT "ml.m5.large"
#define SAGEMAKER_PRICES           "https://aws.amazon.com/sagemaker/pricing/"
enum {
    SAGEMAKER_TAR_NAME_BYTES = 64,
    SAGEMAKER_POLL_FIRST_MS = 500,
    SAGEMAKER_POLL_LAST_MS = 15 * 1000,
};
/* 4 GiB: an artefact is unpacked in memory. */
#define SAGEMAKER_MODEL_BYTES_MAX ((size_t)4 << 30)

/* ERR_USAGE when one of them is missing or is none. */
NODISCARD enum err_code sagemaker_check_role(const struct sagemaker_options *options,
                                             struct err *err);
struct sagemaker_place {
    char bucket[S3_BUCKET_BYTES_MAX + 1], prefix[S3_KEY_BYTES_MAX + 1]; /* ends in "/" or is "" */
};
NODISCARD enum err_code sagemaker_place_read(const struct sagemaker_options *options,
                                             struct sagemaker_place *ret, struct err *err);
/* Asks on a terminal; elsewhere --yes is needed. ERR_CANCELLED when the answer is no. */
NODISCARD enum err_code sagemaker_confirm(const struct sagemaker_options *options, struct err *err);
/* Sleeps and makes the pause longer. ERR_CANCELLED when a stop was asked for. */
NODISCARD enum err_code sagemaker_pause(int64_t *pause_ms, struct err *err);
/* A whole file, mapped: fn(context, bytes, length). */
NODISCARD enum err_code sagemaker_with_file(const char *path,
                                            enum err_code (*fn)(void *context, const char *bytes,
                                                                size_t length, struct err *err),
                                            void *context, struct err *err);
