#pragma once
/* A trained scorer, immutable once loaded: any number of threads may use one at the same time.
 * Arithmetic only: no clock, no SQL, no network. Formulas and defaults: model/README.md.
 *
 * Scope: a model learned from several pair specs keeps them apart ("scoped": the entity that is
 * hashed is "<spec>\x1f<entity>"); one learned from one spec or from a CSV file uses the bare
 * entity. Calibration and threshold are kept per spec; a CSV model has the one spec "". */
#include "base/err.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct model;

enum { MODEL_ID_BYTES = 33, MODEL_SPECS_MAX = 32, MODEL_NETWORKS_MAX = 12, MODEL_QUANTILES = 1001 };

struct model_pair {
    const char *spec; /* "" for none */
    const char *entity;
    struct ip ip;
};

struct model_score {
    double dot_product; /* higher = more usual */
    double score;       /* -dot_product */
    double percentile; /* 0..100 among the calibration sample of the pair's spec; NAN without one */
    bool entity_known; /* the entity was in the training data */
    bool flagged;      /* score > the spec's threshold */
    int known_bits;    /* longest prefix of ip among this entity's training networks, 0 = none */
};

/* Maps the file read-only and checks it whole; ERR_CORRUPT says what is wrong with it,
 * ERR_NOT_FOUND that there is none and how to make one. */
NODISCARD enum err_code model_load(const char *path, struct model **ret, struct err *err);
void model_free(struct model *model);
void model_freep(struct model **model);

/* Never fails: an unknown entity is scored by the mean entity, an unseen prefix by its level's
 * row for the unseen. Equal input gives equal output, whatever the batch. */
void model_score_pairs(const struct model *model, const struct model_pair *pairs, size_t count,
                       struct model_score *ret);

/* What the model says of itself. Texts live as long as the model. */
struct model_info {
    char id[MODEL_ID_BYTES];  /* hex of the file's digest: the version */
    const char *detector;     /* "ip_insights" */
    int64_t trained_until_ms; /* newest training observation, 0 = unknown */
    uint64_t training_pairs;
    uint64_t entities;
    const char *hyperparameters_json; /* object, SageMaker's names */
    const char *metrics_json;         /* object: what training measured */
    size_t spec_count;
    const char *specs[MODEL_SPECS_MAX];
};
void model_info(const struct model *model, struct model_info *ret);

/* Calibration of one spec. False when the model knows nothing of the spec. */
struct model_calibration {
    uint64_t sample_size;
    double threshold;            /* flagged when score > threshold */
    double threshold_percentile; /* where it was put, 0..100 */
    const float *quantiles;      /* MODEL_QUANTILES scores, ascending: 0 %, 0.1 %, … 100 % */
};
bool model_calibration(const struct model *model, const char *spec, struct model_calibration *ret);

/* What the entity usually talks to, most used first; at most MODEL_NETWORKS_MAX. */
struct model_network {
    struct cidr cidr;
    uint64_t observations;
    double share; /* of the entity's training observations */
};
size_t model_entity_networks(const struct model *model, const char *spec, const char *entity,
                             struct model_network ret[static MODEL_NETWORKS_MAX]);
