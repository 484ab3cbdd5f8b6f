#pragma once
/* InvokeEndpoint of the SageMaker runtime: bytes in, bytes out. Over the caller's link.
 * Limits: botocore's model of sagemaker-runtime 2017-05-13, and those of serverless endpoints. */
#include "aws/client.h"

enum {
    SAGEMAKER_NAME_BYTES = 64,
    /* A serverless endpoint takes and gives 4 MB, any other 6,291,456 bytes. */
    SAGEMAKER_BODY_BYTES_MAX = 4 * 1000 * 1000,
    /* A model has 60 s; AWS advises clients to wait for 70. */
    SAGEMAKER_ANSWER_MS = 70 * 1000,
    SAGEMAKER_REASON_BYTES = 320,
};

/* Up to 63 letters, digits and single hyphens within: endpoints, models, jobs. */
bool sagemaker_name_ok(const char *name);

struct sagemaker_asked {
    const char *endpoint;
    const char *content_type, *accept;
    const char *body;
    size_t length;
    int64_t answer_ms;   /* of one try */
    int64_t deadline_ms; /* of all tries, from now */
    const atomic_bool *stop;
};
/* A ModelError: the endpoint is well, its model was not. */
struct sagemaker_refusal {
    bool by_model;
    int status; /* the model's own; 0 = it did not answer in time */
    char reason[SAGEMAKER_REASON_BYTES];
};
/* *reply holds the answer's body and headers. ERR_INVALID with ret->by_model: the model calls the
 * body wrong (4xx). ERR_UNAVAILABLE: the model failed or did not answer (5xx, 0), or the service.
 * ERR_NOT_FOUND: no such endpoint, or it is not in service. Otherwise as aws_call. */
NODISCARD enum err_code sagemaker_invoke(struct aws_link *link, const struct sagemaker_asked *asked,
                                         struct aws_reply *reply, struct sagemaker_refusal *ret,
                                         struct err *err);
