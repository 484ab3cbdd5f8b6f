#pragma once
/* A model behind a SageMaker endpoint: the database holds what a calibration run
 * (`pairwatch model calibrate`) measured of its scores, the endpoint gives the scores. Immutable
 * once loaded, any thread. */
#include "base/arena.h"
#include "model/model.h"
#include "store/model_row.h"

struct db;

#define ENDPOINT_SCHEME   "sagemaker:" /* before its name, as a model's path */
#define ENDPOINT_DETECTOR "sagemaker"
enum { ENDPOINT_PATH_BYTES = 80 };

struct endpoint_model {
    struct arena texts;
    char name[64];
    bool ipv6; /* it takes such addresses */
    struct model_row row;
};

/* The name in "sagemaker:NAME", NULL when the path is another one. */
const char *endpoint_name_of(const char *path);
/* ERR_CORRUPT: the model is not one of an endpoint. */
NODISCARD enum err_code endpoint_model_load(struct db *db, const char *id, const char *path,
                                            struct endpoint_model **ret, struct err *err);
/* The same out of a file that endpoint_calibrate wrote, for a worker without a database.
 * ERR_INVALID also when it is another endpoint's. */
NODISCARD enum err_code endpoint_model_read(const char *path, const char *name,
                                            struct endpoint_model **ret, struct err *err);
void endpoint_model_free(struct endpoint_model *model);
void endpoint_model_freep(struct endpoint_model **model);
/* What a dot product of a pair of this spec says. */
struct model_score endpoint_model_judge(const struct model_spec_row *spec, double dot_product);
