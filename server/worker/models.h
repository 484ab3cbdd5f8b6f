#pragma once
/* The model that scores, and perhaps a shadow beside it, as one immutable set that all threads
 * share and a newer one replaces: a thread takes the set, scores an object with it and gives it
 * back. */
#include "base/err.h"
#include "model/model.h"
#include <stdatomic.h>
#include <stdbool.h>

struct db;
struct endpoint_model;
struct models;
struct writer;

struct model_set {
    uint64_t generation;             /* another one is another set */
    struct model *model;             /* of a file; NULL = an endpoint scores */
    struct endpoint_model *endpoint; /* or NULL */
    char model_id[MODEL_ID_BYTES];
    struct model *shadow;                   /* or NULL, also when it could not be loaded */
    struct endpoint_model *shadow_endpoint; /* or this one */
    char shadow_id[MODEL_ID_BYTES];
    const char *spec_names[MODEL_SPECS_MAX + 1]; /* to read, NULL-terminated */
};

struct models_options {
    const char *database_url;      /* NULL with a file only */
    const char *model_path;        /* NULL = the active model of the database, and its shadow */
    const char *endpoint;          /* instead: the newest model of this endpoint's; or NULL */
    const char *calibration;       /* the endpoint's, of a file; NULL = the database's */
    const char *const *spec_names; /* NULL-terminated; NULL = those the model was trained on */
    struct writer *writer;         /* registers what is loaded; NULL = nobody does */
};
enum { MODELS_CHECK_MS = 2000 }; /* how long a move of models may go unseen */

/* ERR_NOT_FOUND says that no model is active, or the endpoint has none, and how to change that. */
NODISCARD enum err_code models_open(const struct models_options *options, struct models **ret,
                                    struct err *err);
/* After all sets were given back; accepts NULL. */
void models_close(struct models *models);

/* The set of now; of a file, db may be NULL. When the active model's file cannot be loaded the one
 * so far goes on scoring, and the log says so. Any thread; db is the caller's. */
const struct model_set *models_take(struct models *models, struct db *db);
void models_give(struct models *models, const struct model_set *set);
