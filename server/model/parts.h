#pragma once
/* What a model is made of: filled by training or by reading a file, used by scoring and by writing
 * one. Private to this folder. All arrays are borrowed from the mapping or from the trainer. */
#include "model/asn.h"
#include "model/dense.h"
#include "model/ip_encoder.h"
#include "model/model.h"
#include "model/prefix_tree.h"

/* Of what the prefix tree's opinions are made; a file's is its version. Thresholds and quantiles
 * are of one form, so a model keeps that which it was calibrated with. */
enum model_form {
    FORM_FIRST = 1,
    FORM_RATIO,   /* how likely for this entity, against how likely for an attacker */
    FORM_COUNTED, /* the same, by how often an address was used */
    FORM__END
};

enum { SPEC_NAME_BYTES = 64, MODEL_DIM_MAX = 4096, MODEL_LAYERS_MAX = 100 };

/* As in the file. */
struct sample_part {
    uint64_t sample_size;
    double threshold, threshold_percentile;
    float quantiles[MODEL_QUANTILES];
    uint32_t unused;
};
/* Every held-out pair as often as it was held out, newcomers too: what a day looks like. */
struct usual_part {
    uint64_t sample_size;
    double unknown_share,
        unseen_share; /* of entities without history; in networks not used before */
    float quantiles[MODEL_QUANTILES];
    uint32_t unused;
};
struct spec_part {
    char name[SPEC_NAME_BYTES];
    /* Of the held-out pairs in places new to their entities, the share that others' use explains
     * better than chance: 0 = entities keep apart, 1 = all use the same. */
    double shared;
    struct usual_part usual;
    struct sample_part all; /* of what decides */
    struct sample_part opinions[OPINION__MAX];
};

struct network_part {
    uint8_t ip[16];
    uint64_t observations;
};

struct model_parts {
    enum model_form form;
    uint32_t dim, stride, layers;
    enum detector detector;
    struct threshold_rule threshold;
    bool scoped; /* entities are hashed as "<spec>\x1f<entity>" */
    int64_t trained_until_ms;
    uint64_t training_pairs;
    const struct spec_part *specs;
    size_t spec_count;
    const char *hyperparameters_json, *metrics_json;

    const uint64_t *prefix_keys;
    uint32_t prefix_counts[IP_LEVELS];
    const float *prefix_vectors; /* IP_LEVELS rows for the unseen, one per key, the dense layers */

    /* Entities that IP Insights was trained with; a prefix tree that learned on may know more. */
    uint64_t vector_count;
    const uint64_t *vector_hashes; /* ascending */
    const float *entity_vectors;   /* entity_rows, then the mean of the known ones */
    uint64_t entity_rows;          /* fewer than vector_count: they share rows by hash */

    uint64_t entity_count;
    const uint64_t *entity_hashes; /* ascending */
    const char *entity_names;      /* in the order of the hashes, each with its NUL */
    uint64_t entity_names_length;
    const uint64_t *observations;   /* per entity */
    const uint64_t *network_starts; /* entity_count + 1 */
    const struct network_part *networks;
    struct prefix_tree tree;
    struct asn_table asn; /* empty: the tree has no such level */
};

static inline struct dense parts_dense(const struct model_parts *parts)
{
    return (struct dense){parts->layers, parts->dim, parts->stride};
}

struct leaves;
struct model {
    struct model_parts parts;
    struct ip_encoder encoder;
    struct leaves *leaves; /* NULL for one that is not of a file */
    char id[MODEL_ID_BYTES];
    uint64_t *name_starts; /* in entity_names; owned */
    void *map;             /* of the file, or NULL */
    size_t map_length;
};

/* Finds where names begin; false when there are not as many as entities. */
bool names_index(struct model *model);
const char *entity_name(const struct model *model, uint64_t index);
/* The vector of an address's first `levels` prefixes: their rows added up, then the dense layers.
 * ret has room for stride floats. */
void model_encode(const struct model *model, const struct ip_path *path, uint32_t levels,
                  float *ret);
/* Its inner product with the vector of an entity's row. */
double model_dot(const struct model *model, uint64_t row, const struct ip *ip);
/* Fills *ret from what was found of the pair. entity: index, or entity_count. */
void model_judge(const struct model *model, const struct model_pair *pair, uint64_t entity,
                 const struct prefix_score *prefix, double dot_product, struct model_score *ret);
uint64_t entity_hash(bool scoped, const char *spec, const char *entity);
/* Soon it will be sought. */
void entity_fetch(const struct model_parts *parts, uint64_t hash);
/* Index among the entities, or entity_count when it is not known. */
uint64_t entity_find(const struct model_parts *parts, uint64_t hash);
/* The same, and entity_count as well for one of which the prefix tree has forgotten everything. */
uint64_t entity_remembered(const struct model_parts *parts, uint64_t hash);
/* Of an entity: how often it was observed, and how much of that is at addresses it used before,
 * 0..1: of one that was hardly observed more than of one that never came back. */
struct habit {
    double observed, returns;
};
struct habit entity_habit(const struct model_parts *parts, uint64_t entity);
/* Row of IP Insights' vector for it. */
uint64_t entity_vector_row(const struct model_parts *parts, uint64_t hash);
/* NULL when the model was not trained on the spec. */
const struct spec_part *calibration_of(const struct model_parts *parts, const char *spec);
/* Row of an entity's vector; entity_rows (the mean) for one not known. */
uint64_t entity_row(uint64_t entity_rows, uint64_t entity_count, uint64_t index, uint64_t hash);
