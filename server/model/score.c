/* Scoring and explaining a pair: the prefix tree's bits, and the dot product of the entity's vector
 * and the sum of the address's prefix rows. */
#include <math.h>
#include <string.h>

#include "base/own.h"
#include "model/opinion.h"
#include "model/vector.h"

enum { ENCODE_ROWS = 3 }; /* the vector, and room for a dense layer */

void model_encode(const struct model *model, const struct ip_path *path, uint32_t levels,
                  float *ret)
{
    const struct model_parts *parts = &model->parts;
    size_t stride = parts->stride;
    struct dense layer = {1, parts->dim, stride};
    const float *values = parts->prefix_vectors + ip_encoder_rows(&model->encoder) * stride;
    float states[ENCODE_ROWS * MODEL_DIM_MAX];

    memset(ret, 0, stride * sizeof *ret);
    for (uint32_t i = 0; i < levels; i++)
        vector_add(ret, parts->prefix_vectors + path->rows[i] * stride, 1, stride);
    for (uint32_t i = 0; i < parts->layers; i++) {
        memcpy(states, ret, stride * sizeof *ret);
        dense_forward(&layer, values + i * dense_rows(&layer) * stride, states);
        memcpy(ret, states + stride, stride * sizeof *ret);
    }
}

static void encode(const struct model *model, const struct ip *ip, float *ret)
{
    struct ip_path path;

    ip_encoder_path(&model->encoder, ip, &path);
    model_encode(model, &path, path.count, ret);
}

double model_dot(const struct model *model, uint64_t row, const struct ip *ip)
{
    const struct model_parts *parts = &model->parts;
    float vector[MODEL_DIM_MAX];

    encode(model, ip, vector);
    return (double)vector_dot(vector, parts->entity_vectors + row * parts->stride, parts->stride);
}

/* What a level adds to the dot product: with dense layers, what it adds to all before it. */
static double dot_product_part(const struct model *model, uint64_t row, const struct ip_path *path,
                               uint32_t level)
{
    const struct model_parts *parts = &model->parts;
    const float *entity = parts->entity_vectors + row * parts->stride;
    float vector[MODEL_DIM_MAX];
    double before = 0;

    if (parts->layers == 0)
        return (double)vector_dot(parts->prefix_vectors + path->rows[level] * (size_t)parts->stride,
                                  entity, parts->stride);
    if (level > 0) { /* what the layers make of nothing counts with the first */
        model_encode(model, path, level, vector);
        before = (double)vector_dot(vector, entity, parts->stride);
    }
    model_encode(model, path, level + 1, vector);
    return (double)vector_dot(vector, entity, parts->stride) - before;
}

const struct spec_part *calibration_of(const struct model_parts *parts, const char *spec)
{
    if (parts->spec_count == 1 && !parts->scoped && parts->specs[0].name[0] == '\0')
        return &parts->specs[0];
    for (size_t i = 0; i < parts->spec_count; i++)
        if (strcmp(parts->specs[i].name, spec) == 0)
            return &parts->specs[i];
    return NULL;
}

void model_judge(const struct model *model, const struct model_pair *pair, uint64_t entity,
                 const struct prefix_score *prefix, double dot_product, struct model_score *ret)
{
    const struct model_parts *parts = &model->parts;

    ret->dot_product = dot_product;
    ret->entity_known = entity < parts->entity_count;
    ret->known_bits = prefix->known_bits;
    ret->bearers = prefix->bearers;
    opinion_judge(prefix, entity_habit(parts, entity), ret->dot_product, ret->entity_known, parts,
                  calibration_of(parts, pair->spec), ret);
}

static uint64_t row_of(const struct model_parts *parts, const struct model_pair *pair)
{
    return entity_vector_row(parts, entity_hash(parts->scoped, pair->spec, pair->entity));
}

size_t model_dim(const struct model *model)
{
    return model->parts.dim;
}

void model_vectors(const struct model *model, const struct model_pair *pair, float *ret_ip,
                   float *ret_entity)
{
    const struct model_parts *parts = &model->parts;
    float vector[MODEL_DIM_MAX];

    encode(model, &pair->ip, vector);
    memcpy(ret_ip, vector, parts->dim * sizeof *ret_ip);
    memcpy(ret_entity, parts->entity_vectors + row_of(parts, pair) * parts->stride,
           parts->dim * sizeof *ret_entity);
}

static double sum_of(const float *bits, int first)
{
    double sum = 0;

    for (int i = first; i < first + MODEL_LEVEL_BITS; i++)
        sum += (double)bits[i];
    return sum;
}

static void explain_levels(const struct model *model, const struct model_pair *pair, uint64_t row,
                           const struct prefix_bits *bits, int length,
                           struct model_explanation *ret)
{
    struct ip ip = prefix_ip(&pair->ip);
    struct ip_path path;

    ip_encoder_path(&model->encoder, &pair->ip, &path);
    ret->level_count = (size_t)(length / MODEL_LEVEL_BITS);
    for (size_t i = 0; i < ret->level_count; i++) {
        int first = (int)i * MODEL_LEVEL_BITS;

        ret->levels[i] = (struct model_level){
            .prefix = cidr_around(&ip, first + MODEL_LEVEL_BITS),
            .entity = sum_of(bits->entity, first),
            .others = sum_of(bits->others, first),
        };
        if (i < path.count)
            ret->levels[i].ip_insights = dot_product_part(model, row, &path, (uint32_t)i);
    }
}

/* Of other entities, whose names may be equal when they are of different specs. */
static void explain_bearers(const struct model *model, const struct model_pair *pair,
                            uint64_t entity, bool themselves, int length,
                            struct model_explanation *ret)
{
    uint32_t found[MODEL_BEARERS_MAX + 1];
    int network = length == PREFIX_BITS_V4 ? PREFIX_NETWORK_BITS_V4 : PREFIX_NETWORK_BITS_V6;
    size_t count = prefix_bearers(&model->parts.tree, &pair->ip, themselves ? length : network,
                                  ARRAY_LEN(found), found);

    for (size_t i = 0; i < count && ret->bearer_count < MODEL_BEARERS_MAX; i++)
        if (found[i] != entity && strcmp(entity_name(model, found[i]), pair->entity) != 0)
            ret->bearers[ret->bearer_count++] = entity_name(model, found[i]);
}

static void explain_asn(const struct model *model, const struct model_pair *pair, uint64_t entity,
                        double evidence, struct model_explanation *ret)
{
    const struct asn_index *index = model->parts.tree.asn;
    int length;
    uint64_t key = prefix_key(&pair->ip, &length);
    int family = length == PREFIX_BITS_V6;
    int64_t system = index != NULL ? asn_find(&index->table, family, key) : ASN_NONE;
    double weight = 0, all = 0;

    if (system == ASN_NONE)
        return;
    if (entity < model->parts.entity_count) {
        const struct prefix_family *addresses = &model->parts.tree.families[family];
        uint64_t start = addresses->starts[entity], end = addresses->starts[entity + 1];

        weight = asn_weight(index, family, entity, system);
        all = end > start ? (double)addresses->weights[end - 1] : 0;
    }
    ret->has_asn = true;
    ret->asn = (struct model_system){.number = index->table.numbers[system],
                                     .name = index->names[system],
                                     .known = weight > 0,
                                     .share = all > 0 ? weight / all : 0,
                                     .entities = index->entity_counts[system],
                                     .evidence = evidence};
}

void model_explain(const struct model *model, const struct model_pair *pair,
                   struct model_explanation *ret)
{
    const struct model_parts *parts = &model->parts;
    uint64_t hash = entity_hash(parts->scoped, pair->spec, pair->entity);
    uint64_t entity = entity_remembered(parts, hash), row = entity_vector_row(parts, hash);
    struct prefix_score prefix;
    struct prefix_bits bits;
    uint16_t day = 0;

    *ret = (struct model_explanation){.level_count = 0};
    prefix_score(&parts->tree, entity, &pair->ip, &prefix, &bits);
    model_judge(model, pair, entity, &prefix, model_dot(model, row, &pair->ip), &ret->score);
    ret->both = prefix.both;
    ret->entity = prefix.entity;
    ret->others = prefix.others;
    ret->neighbours = prefix.neighbours;
    if (prefix.bearers + prefix.neighbours > 0)
        explain_bearers(model, pair, entity, prefix.bearers > 0, prefix.length, ret);
    explain_asn(model, pair, entity, prefix.asn, ret);
    ret->has_nearest = prefix_nearest(&parts->tree, entity, &pair->ip, &ret->nearest, &day);
    ret->nearest_seen_ms = (int64_t)day * 24 * 3600 * 1000;
    explain_levels(model, pair, row, &bits, prefix.length, ret);
}

void model_info(const struct model *model, struct model_info *ret)
{
    const struct model_parts *parts = &model->parts;

    *ret = (struct model_info){
        .detector = parts->detector,
        .threshold = parts->threshold,
        .trained_until_ms = parts->trained_until_ms,
        .training_pairs = parts->training_pairs,
        .entities = parts->entity_count,
        .hyperparameters_json = parts->hyperparameters_json,
        .metrics_json = parts->metrics_json,
        .spec_count = parts->spec_count,
    };
    memcpy(ret->id, model->id, sizeof ret->id);
    for (size_t i = 0; i < parts->spec_count; i++)
        ret->specs[i] = parts->specs[i].name;
}

/* In the unit of what decides: bits over the strangers' threshold. */
static double threshold_least(const struct model_parts *parts, const struct spec_part *part)
{
    if (parts->detector != DETECTOR_PREFIX || parts->threshold.kind != THRESHOLD_BUDGET)
        return -INFINITY;
    return STRANGER_LEAST - part->opinions[OPINION_STRANGER].threshold;
}

bool model_calibration(const struct model *model, const char *spec, struct model_calibration *ret)
{
    const struct spec_part *part = calibration_of(&model->parts, spec);

    if (part == NULL)
        return false;
    *ret = (struct model_calibration){
        .sample_size = part->all.sample_size,
        .threshold = part->all.threshold,
        .threshold_percentile = part->all.threshold_percentile,
        .threshold_least = threshold_least(&model->parts, part),
        .quantiles = part->all.quantiles,
        .usual_quantiles = part->usual.sample_size > 0 ? part->usual.quantiles : NULL,
        .unknown_share = part->usual.sample_size > 0 ? part->usual.unknown_share : NAN,
        .unseen_share = part->usual.sample_size > 0 ? part->usual.unseen_share : NAN,
    };
    return true;
}

const struct asn_table *model_asn(const struct model *model)
{
    return &model->parts.asn;
}

size_t model_entity_networks(const struct model *model, const char *spec, const char *entity,
                             struct model_network ret[static MODEL_NETWORKS_MAX])
{
    const struct model_parts *parts = &model->parts;
    uint64_t index = entity_find(parts, entity_hash(parts->scoped, spec, entity));
    size_t count = 0;

    if (index == parts->entity_count)
        return 0;
    for (uint64_t i = parts->network_starts[index]; i < parts->network_starts[index + 1]; i++) {
        const struct network_part *network = &parts->networks[i];
        struct ip ip;

        memcpy(ip.bytes, network->ip, sizeof ip.bytes);
        ret[count++] = (struct model_network){
            .cidr = cidr_around(&ip, ip_is_v4(&ip) ? 24 : 48),
            .observations = network->observations,
            .share = (double)network->observations / (double)parts->observations[index],
        };
    }
    return count;
}
