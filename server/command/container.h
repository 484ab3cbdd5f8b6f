#pragma once
/* What SageMaker asks of an inference container, by which this program can replace the built-in
 * image of IP Insights: deploy/sagemaker/README.md. No database and no sign-in: SageMaker puts the
 * container where only it can reach it. */
#include "base/err.h"
#include <stdint.h>

enum { CONTAINER_BODY_BYTES_MAX = 100 << 20 }; /* SageMaker's own limit of a batch transform */
/* Of the body of InvokeEndpoint. */
#define CONTAINER_BODY_BYTES_DEFAULT INT64_C(6291456)
#define CONTAINER_LISTEN_DEFAULT     "0.0.0.0:8080"
#define CONTAINER_DIR_DEFAULT        "/opt/ml"
#define CONTAINER_MODEL_NAME         "pairwatch.model"

struct container_options {
    const char *listen;
    const char *model; /* NULL: DIR/model/pairwatch.model */
    const char *dir;   /* in place of /opt/ml */
    const char *tls_cert, *tls_key;
    int threads, connections;
    int64_t body_bytes_max;
};

/* Serves until a stop is asked for. */
NODISCARD enum err_code container_serve(const struct container_options *options, struct err *err);

/* Learns what DIR/input says into DIR/model; a failure's reason goes to DIR/output/failure too. */
NODISCARD enum err_code container_train(const char *dir, struct err *err);
