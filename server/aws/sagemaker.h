#pragma once
/* SageMaker's control plane: models, endpoints and training jobs. Over the caller's link. A call
 * whose answer is lost on the way is made again, and then finds what it made: so that something of
 * that name exists already is no failure of the create functions. Who must not take over another's
 * asks sagemaker_exists first. */
#include "aws/sagemaker_runtime.h"

enum {
    SAGEMAKER_STATUS_BYTES = 40,
    SAGEMAKER_URI_BYTES = 1152,
    SAGEMAKER_MODELS_MAX = 10, /* of an endpoint */
    SAGEMAKER_HYPER_MAX = 32,
};

struct sagemaker_model {
    const char *name, *image, *role; /* an image in ECR, the ARN of the role it runs as */
    const char *data;                /* s3://…/model.tar.gz */
};
NODISCARD enum err_code
sagemaker_create_model(struct aws_link *link, const struct sagemaker_model *model, struct err *err);

/* One production variant, on instances or serverless. */
struct sagemaker_config {
    const char *name, *model;
    const char *instance_type; /* NULL = serverless */
    int64_t instances;
    int64_t memory_mb, concurrency; /* of serverless */
};
NODISCARD enum err_code sagemaker_create_config(struct aws_link *link,
                                                const struct sagemaker_config *config,
                                                struct err *err);
NODISCARD enum err_code sagemaker_create_endpoint(struct aws_link *link, const char *name,
                                                  const char *config, struct err *err);

struct sagemaker_endpoint {
    char status[SAGEMAKER_STATUS_BYTES]; /* "Creating", "InService", "Failed" … */
    char reason[SAGEMAKER_REASON_BYTES];
    char config[SAGEMAKER_NAME_BYTES];
};
/* ERR_NOT_FOUND when there is none; so the others below. */
NODISCARD enum err_code sagemaker_describe_endpoint(struct aws_link *link, const char *name,
                                                    struct sagemaker_endpoint *ret,
                                                    struct err *err);
/* The models that a configuration names. */
NODISCARD enum err_code
sagemaker_describe_config(struct aws_link *link, const char *name,
                          char ret[static SAGEMAKER_MODELS_MAX][SAGEMAKER_NAME_BYTES],
                          size_t *ret_count, struct err *err);

enum sagemaker_kind { SAGEMAKER_ENDPOINT, SAGEMAKER_CONFIG, SAGEMAKER_MODEL, SAGEMAKER_KIND__MAX };
extern const char *const SAGEMAKER_KIND_WORDS[SAGEMAKER_KIND__MAX];
NODISCARD enum err_code sagemaker_exists(struct aws_link *link, enum sagemaker_kind kind,
                                         const char *name, bool *ret, struct err *err);
NODISCARD enum err_code sagemaker_delete(struct aws_link *link, enum sagemaker_kind kind,
                                         const char *name, struct err *err);

struct sagemaker_job {
    const char *name, *image, *role;
    const char *input;  /* s3:// prefix of the channel "train", CSV */
    const char *output; /* s3:// prefix */
    const char *instance_type;
    int64_t volume_gb, seconds_max;
    const char *hyper[SAGEMAKER_HYPER_MAX][2]; /* name, value */
    size_t hyper_count;
};
NODISCARD enum err_code sagemaker_create_job(struct aws_link *link, const struct sagemaker_job *job,
                                             struct err *err);
struct sagemaker_job_state {
    char status[SAGEMAKER_STATUS_BYTES]; /* InProgress Completed Failed Stopping Stopped */
    char stage[SAGEMAKER_STATUS_BYTES];  /* Starting Downloading Training Uploading … */
    char reason[SAGEMAKER_REASON_BYTES];
    char artefact[SAGEMAKER_URI_BYTES]; /* s3://…/model.tar.gz; "" = none */
    int64_t billable_s;
};
NODISCARD enum err_code sagemaker_describe_job(struct aws_link *link, const char *name,
                                               struct sagemaker_job_state *ret, struct err *err);
NODISCARD enum err_code sagemaker_stop_job(struct aws_link *link, const char *name,
                                           struct err *err);
