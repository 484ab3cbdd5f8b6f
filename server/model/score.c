/* Scoring: the prefix tree's bits, and the dot product of the entity's vector and the sum of the
 * address's prefix rows. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/kernel.h"
#include "model/leaves.h"
#include "model/opinion.h"
#include "model/vector.h"

enum { HASH_TEXT_BYTES = 4096 };

uint64_t entity_hash(bool scoped, const char *spec, const char *entity)
{
    char text[HASH_TEXT_BYTES];
    size_t entity_length = strlen(entity), spec_length = strlen(spec);

    if (!scoped)
        return hash_bytes(entity, entity_length, 0);
    if (spec_length + 1 + entity_length > sizeof text)
        return hash_mix(hash_bytes(spec, spec_length, 1) ^ hash_bytes(entity, entity_length, 0));
    memcpy(text, spec, spec_length);
    text[spec_length] = '\x1f';
    memcpy(text + spec_length + 1, entity, entity_length);
    return hash_bytes(text, spec_length + 1 + entity_length, 0);
}

enum { FIND_STEP = 16 };

/* Hashes are spread evenly: one is near its share of the way, and sought outwards from there. */
static uint64_t hash_place(uint64_t count, uint64_t hash)
{
    return (hash >> 32) * count >> 32;
}

static void hash_fetch(const uint64_t *hashes, uint64_t count, uint64_t hash)
{
    __builtin_prefetch(&hashes[hash_place(count, hash)]);
}

static uint64_t hash_find(const uint64_t *hashes, uint64_t count, uint64_t hash)
{
    uint64_t low = hash_place(count, hash), high = low, step = FIND_STEP;

    for (; low > 0 && hashes[low] >= hash; step *= 2) {
        high = low;
        low = low > step ? low - step : 0;
    }
    for (; high < count && hashes[high] < hash; step *= 2) {
        low = high + 1;
        high = count - high > step ? high + step : count;
    }
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (hashes[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && hashes[low] == hash ? low : count;
}

uint64_t entity_find(const struct model_parts *parts, uint64_t hash)
{
    return hash_find(parts->entity_hashes, parts->entity_count, hash);
}

uint64_t entity_remembered(const struct model_parts *parts, uint64_t hash)
{
    uint64_t index = entity_find(parts, hash);

    return prefix_knows(&parts->tree, index) ? index : parts->entity_count;
}

struct habit entity_habit(const struct model_parts *parts, uint64_t entity)
{
    static const double LENT = 2; /* as if it had come back so often more */
    double observed, addresses = 0;

    if (entity >= parts->entity_count)
        return (struct habit){0, 0};
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        const uint64_t *starts = parts->tree.families[f].starts;

        addresses += (double)(starts[entity + 1] - starts[entity]);
    }
    observed = (double)parts->observations[entity];
    return (struct habit){observed, fmax(0, (observed - addresses + LENT) / (observed + LENT))};
}

uint64_t entity_vector_row(const struct model_parts *parts, uint64_t hash)
{
    uint64_t index = hash_find(parts->vector_hashes, parts->vector_count, hash);

    return entity_row(parts->entity_rows, parts->vector_count, index, hash);
}

uint64_t entity_row(uint64_t entity_rows, uint64_t entity_count, uint64_t index, uint64_t hash)
{
    if (index == entity_count)
        return entity_rows;
    return entity_count <= entity_rows ? index : hash % entity_rows;
}

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

static float dot_product(const struct model *model, uint64_t row, const struct ip *ip)
{
    const struct model_parts *parts = &model->parts;
    float vector[MODEL_DIM_MAX];

    encode(model, ip, vector);
    return vector_dot(vector, parts->entity_vectors + row * parts->stride, parts->stride);
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

/* Of a pair: whose it is, in both detectors' tables. */
struct place {
    uint64_t entity; /* index, or entity_count */
    uint64_t row;    /* of its vector */
};

static struct place place_of(const struct model_parts *parts, const struct model_pair *pair)
{
    uint64_t hash = entity_hash(parts->scoped, pair->spec, pair->entity);

    return (struct place){entity_remembered(parts, hash), entity_vector_row(parts, hash)};
}

static void judge(const struct model *model, const struct model_pair *pair, struct place place,
                  const struct prefix_score *prefix, struct model_score *ret)
{
    const struct model_parts *parts = &model->parts;

    ret->dot_product = (double)dot_product(model, place.row, &pair->ip);
    ret->entity_known = place.entity < parts->entity_count;
    ret->known_bits = prefix->known_bits;
    ret->bearers = prefix->bearers;
    opinion_judge(prefix, entity_habit(parts, place.entity), ret->dot_product, ret->entity_known,
                  parts, calibration_of(parts, pair->spec), ret);
}

enum { PLACED_PAIRS = 64 };

static void score_block(const struct model *model, const struct model_pair *pairs, size_t count,
                        struct model_score *ret)
{
    struct place places[PLACED_PAIRS];
    struct prefix_pair sought[PLACED_PAIRS] = {{0, NULL}};
    struct prefix_score found[PLACED_PAIRS];

    for (size_t i = 0; i < count; i++) {
        places[i] = place_of(&model->parts, &pairs[i]);
        sought[i] = (struct prefix_pair){places[i].entity, &pairs[i].ip};
    }
    prefix_score_pairs(&model->parts.tree, sought, count, found);
    for (size_t i = 0; i < count; i++)
        judge(model, &pairs[i], places[i], &found[i], &ret[i]);
}

void model_score_pairs(const struct model *model, const struct model_pair *pairs, size_t count,
                       struct model_score *ret)
{
    for (size_t i = 0; i < count; i += PLACED_PAIRS)
        score_block(model, pairs + i, count - i < PLACED_PAIRS ? count - i : PLACED_PAIRS, ret + i);
}

static uint64_t row_of(const struct model_parts *parts, const struct model_pair *pair)
{
    return entity_vector_row(parts, entity_hash(parts->scoped, pair->spec, pair->entity));
}

enum { BLOCK_PAIRS = 32, LINE_FLOATS = 16, NAMES_AHEAD = 16 };

static bool same_entity(const struct model_pair *a, const struct model_pair *b)
{
    return strcmp(a->entity, b->entity) == 0 && strcmp(a->spec, b->spec) == 0;
}

static void fetch_vector(const float *vector, size_t stride)
{
    for (size_t i = 0; i < stride; i += LINE_FLOATS)
        __builtin_prefetch(vector + i);
}

/* Everything of a block is asked for before the first of it is used: where the hashes are, then
 * rows, then what is in them. Left are the pairs that there are, with those of later blocks. */
static void dot_block(const struct model *model, const struct kernel *kernel,
                      const struct model_pair *pairs, size_t count, size_t left, double *ret)
{
    const struct model_parts *parts = &model->parts;
    const float *entities[BLOCK_PAIRS], *leaves[BLOCK_PAIRS];
    uint64_t hashes[BLOCK_PAIRS];
    size_t stride = parts->stride;

    for (size_t i = 0; i < count; i++) {
        if (i + NAMES_AHEAD < left)
            __builtin_prefetch(pairs[i + NAMES_AHEAD].entity);
        hashes[i] = i > 0 && same_entity(&pairs[i - 1], &pairs[i])
                        ? hashes[i - 1]
                        : entity_hash(parts->scoped, pairs[i].spec, pairs[i].entity);
        hash_fetch(parts->vector_hashes, parts->vector_count, hashes[i]);
        leaves_fetch(model->leaves, &pairs[i].ip);
    }
    for (size_t i = 0; i < count; i++) {
        leaves[i] = leaves_vector(model->leaves, &pairs[i].ip);
        fetch_vector(leaves[i], stride);
        if (i > 0 && hashes[i - 1] == hashes[i]) {
            entities[i] = entities[i - 1];
            continue;
        }
        entities[i] = parts->entity_vectors + entity_vector_row(parts, hashes[i]) * stride;
        fetch_vector(entities[i], stride);
    }
    kernel->dots(leaves, entities, count, stride, ret);
}

void model_dot_products(const struct model *model, const struct model_pair *pairs, size_t count,
                        double *ret)
{
    bool ready = model->leaves != NULL && leaves_ready(model->leaves, model, count);
    const struct kernel *kernel = kernel_named(NULL);

    for (size_t i = 0; i < count; i += BLOCK_PAIRS) {
        size_t here = count - i < BLOCK_PAIRS ? count - i : BLOCK_PAIRS;

        if (ready)
            dot_block(model, kernel, pairs + i, here, count - i, ret + i);
        for (size_t k = i; k < i + here && !ready; k++)
            ret[k] = (double)dot_product(model, row_of(&model->parts, &pairs[k]), &pairs[k].ip);
    }
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
    struct place place = place_of(parts, pair);
    struct prefix_score prefix;
    struct prefix_bits bits;
    uint16_t day = 0;

    *ret = (struct model_explanation){.level_count = 0};
    prefix_score(&parts->tree, place.entity, &pair->ip, &prefix, &bits);
    judge(model, pair, place, &prefix, &ret->score);
    ret->both = prefix.both;
    ret->entity = prefix.entity;
    ret->others = prefix.others;
    ret->neighbours = prefix.neighbours;
    if (prefix.bearers + prefix.neighbours > 0)
        explain_bearers(model, pair, place.entity, prefix.bearers > 0, prefix.length, ret);
    explain_asn(model, pair, place.entity, prefix.asn, ret);
    ret->has_nearest = prefix_nearest(&parts->tree, place.entity, &pair->ip, &ret->nearest, &day);
    ret->nearest_seen_ms = (int64_t)day * 24 * 3600 * 1000;
    explain_levels(model, pair, place.row, &bits, prefix.length, ret);
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
