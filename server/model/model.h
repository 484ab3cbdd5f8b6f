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
struct asn_table;
struct model;

enum { MODEL_ID_BYTES = 33, MODEL_SPECS_MAX = 32, MODEL_NETWORKS_MAX = 12, MODEL_QUANTILES = 1001 };

struct model_pair {
    const char *spec; /* "" for none */
    const char *entity;
    struct ip ip;
};

/* Where a spec's thresholds go, by what the newest fifth of its pairs scores. */
enum threshold_kind {
    THRESHOLD_BUDGET,     /* so many findings a day, at most one pair in a hundred */
    THRESHOLD_PERCENTILE, /* above this percentile */
    THRESHOLD_SCORE,      /* above this score */
    THRESHOLD__MAX
};
struct threshold_rule {
    enum threshold_kind kind;
    double value;
};

/* What decides: the prefix tree by the first three opinions, or IP Insights by its own. */
enum detector { DETECTOR_PREFIX, DETECTOR_IP_INSIGHTS, DETECTOR__MAX };
extern const char *const DETECTOR_WORDS[DETECTOR__MAX + 1];

/* A score has as many opinions as the model has views of the pair; each in its own unit, calibrated
 * apart, higher = more unusual. */
enum opinion {
    OPINION_STRANGER,    /* a known entity, and a network that is not one of its own */
    OPINION_IMPOSTOR,    /* the address is another entity's habit rather than this one's */
    OPINION_NEWCOMER,    /* an entity without history, judged by what everyone uses */
    OPINION_IP_INSIGHTS, /* minus the dot product */
    OPINION__MAX
};
extern const char *const OPINION_WORDS[OPINION__MAX + 1];

struct model_opinion {
    double score;      /* NAN = it has none: the opinion is of other pairs */
    double percentile; /* among its calibration sample; NAN without one */
    bool flagged;      /* score > its threshold */
};

struct model_score {
    double dot_product; /* IP Insights': higher = more usual */
    /* By the prefix tree: by how many bits the most alarmed opinion is over its threshold. By IP
     * Insights: minus the dot product. */
    double score;
    /* 0..100 among the calibration sample of the pair's spec, NAN without one. A sample of n tells
     * nothing finer than 10/n: 100 - 1000/n is the most. */
    double percentile;
    double threshold;     /* of the spec; NAN when the model does not know it */
    bool entity_known;    /* the entity was in the training data */
    bool flagged;         /* score > threshold */
    int known_bits;       /* longest prefix of ip among this entity's addresses, 0 = none */
    uint64_t bearers;     /* other entities that used the address in training (IPv6: its /64) */
    enum opinion opinion; /* the one that decides */
    struct model_opinion opinions[OPINION__MAX];
};

/* Maps the file read-only and checks it whole; ERR_CORRUPT says what is wrong with it,
 * ERR_NOT_FOUND that there is none and how to make one. */
NODISCARD enum err_code model_load(const char *path, struct model **ret, struct err *err);
void model_free(struct model *model);
void model_freep(struct model **model);

/* A network that an entity has not used, for counting: no address of its shares so many bits. */
enum { MODEL_NETWORK_BITS_V4 = 16, MODEL_NETWORK_BITS_V6 = 32 };

/* Never fails: an unknown entity is scored by the mean entity, an unseen prefix by its level's
 * row for the unseen. Equal input gives equal output, whatever the batch. */
void model_score_pairs(const struct model *model, const struct model_pair *pairs, size_t count,
                       struct model_score *ret);

/* Only IP Insights' part of it, the same numbers: what its endpoints answer. */
void model_dot_products(const struct model *model, const struct model_pair *pairs, size_t count,
                        double *ret);
/* The two vectors whose inner product it is; each has room for model_dim numbers. */
size_t model_dim(const struct model *model);
void model_vectors(const struct model *model, const struct model_pair *pair, float *ret_ip,
                   float *ret_entity);

/* What the model says of itself. Texts live as long as the model. */
struct model_info {
    char id[MODEL_ID_BYTES]; /* hex of the file's digest: the version */
    enum detector detector;
    struct threshold_rule threshold;
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
    double threshold_percentile; /* how much of the sample is below it, 0..100 */
    /* A threshold by newer scores, between trainings, goes no lower: what is nearly the entity's
     * own is not worth the budget. */
    double threshold_least;
    const float *quantiles; /* MODEL_QUANTILES scores, ascending: 0 %, 0.1 %, … 100 % */
    /* Of all held-out pairs, as often as they came, for telling how days change: quantiles of their
     * scores, shares of those of entities without history and of those in a /16 (IPv6 /32) that
     * the entity had not used. NULL and NAN without any. */
    const float *usual_quantiles;
    double unknown_share, unseen_share;
};
bool model_calibration(const struct model *model, const char *spec, struct model_calibration *ret);

/* Where a score comes from: the sums behind the opinions, by prefix length in steps of 4. */
enum { MODEL_LEVEL_BITS = 4, MODEL_LEVELS_MAX = 16 };
struct model_level {
    struct cidr prefix;
    double entity, others; /* bits of evidence: above 0 the entity, or others, favour this branch */
    double ip_insights;    /* part of the dot product */
};
/* The autonomous system that routes an address, by the table that the model was trained with. */
struct model_system {
    uint32_t number;
    const char *name;  /* "" when the table has none; as long as the model */
    bool known;        /* the entity used addresses of it */
    double share;      /* of what the entity did, by weight */
    uint64_t entities; /* that used it, this one included */
    double evidence;   /* bits, beyond known_bits */
};
enum { MODEL_BEARERS_MAX = 8 };
struct model_explanation {
    struct model_score score;
    double both, entity, others; /* as struct prefix_score has them: prefix_tree.h */
    uint64_t neighbours;         /* addresses of other entities in its /24 (IPv6: /48) */
    /* Names of other entities that used the address or, when there is none, its /24 (IPv6: /48):
     * the first few. They live as long as the model. */
    size_t bearer_count;
    const char *bearers[MODEL_BEARERS_MAX];
    bool has_asn; /* false also when nobody routes it */
    struct model_system asn;
    bool has_nearest;
    struct ip nearest;       /* the entity's address with the longest prefix in common */
    int64_t nearest_seen_ms; /* the day it was last seen */
    size_t level_count;
    struct model_level levels[MODEL_LEVELS_MAX];
};
void model_explain(const struct model *model, const struct model_pair *pair,
                   struct model_explanation *ret);

/* The table of autonomous systems that the model was trained with; an empty one when there was
 * none.
 */
const struct asn_table *model_asn(const struct model *model);

/* What the entity usually talks to, most used first; at most MODEL_NETWORKS_MAX. */
struct model_network {
    struct cidr cidr;
    uint64_t observations;
    double share; /* of the entity's training observations */
};
size_t model_entity_networks(const struct model *model, const char *spec, const char *entity,
                             struct model_network ret[static MODEL_NETWORKS_MAX]);
