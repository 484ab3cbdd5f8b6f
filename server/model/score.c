/* Scoring: the dot product of the entity's vector and the sum of the address's prefix rows. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/parts.h"
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

uint64_t entity_find(const struct model_parts *parts, uint64_t hash)
{
    uint64_t low = 0, high = parts->entity_count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (parts->entity_hashes[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < parts->entity_count && parts->entity_hashes[low] == hash ? low
                                                                          : parts->entity_count;
}

uint64_t entity_row(uint64_t entity_rows, uint64_t entity_count, uint64_t index, uint64_t hash)
{
    if (index == entity_count)
        return entity_rows;
    return entity_count <= entity_rows ? index : hash % entity_rows;
}

static float dot_product(const struct model *model, uint64_t row, const struct ip *ip)
{
    const struct model_parts *parts = &model->parts;
    float sum[MODEL_DIM_MAX];
    struct ip_path path;

    ip_encoder_path(&model->encoder, ip, &path);
    memset(sum, 0, parts->stride * sizeof *sum);
    for (uint32_t i = 0; i < path.count; i++)
        vector_add(sum, parts->prefix_vectors + path.rows[i] * (size_t)parts->stride, 1,
                   parts->stride);
    return vector_dot(sum, parts->entity_vectors + row * parts->stride, parts->stride);
}

static const struct spec_part *spec_find(const struct model_parts *parts, const char *spec)
{
    if (parts->spec_count == 1 && !parts->scoped && parts->specs[0].name[0] == '\0')
        return &parts->specs[0];
    for (size_t i = 0; i < parts->spec_count; i++)
        if (strcmp(parts->specs[i].name, spec) == 0)
            return &parts->specs[i];
    return NULL;
}

/* Where the score lies among the quantiles, in percent; in between by proportion. */
static double percentile_of(const struct spec_part *spec, double score)
{
    const float *quantiles = spec->quantiles;
    size_t low = 0, high = MODEL_QUANTILES - 1;

    if (spec->sample_size == 0)
        return NAN;
    if (score <= (double)quantiles[low])
        return 0;
    if (score >= (double)quantiles[high])
        return 100;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if ((double)quantiles[middle] <= score)
            low = middle;
        else
            high = middle;
    }
    return ((double)low +
            (score - (double)quantiles[low]) / ((double)quantiles[high] - (double)quantiles[low])) *
           100.0 / (MODEL_QUANTILES - 1);
}

static int common_bits(const struct ip *a, const struct ip *b)
{
    bool v4 = ip_is_v4(a);
    int bits = 0;

    if (v4 != ip_is_v4(b))
        return 0;
    for (int i = v4 ? 12 : 0; i < 16; i++) {
        unsigned differ = (unsigned)a->bytes[i] ^ b->bytes[i];

        if (differ != 0)
            return bits + __builtin_clz(differ) - 24;
        bits += 8;
    }
    return bits;
}

/* The nearest neighbours in order share the most leading bits. */
static int known_bits(const struct model_parts *parts, uint64_t entity, const struct ip *ip)
{
    const struct ip *addresses = parts->addresses + parts->address_starts[entity];
    uint64_t count = parts->address_starts[entity + 1] - parts->address_starts[entity];
    uint64_t low = 0, high = count;
    int bits = 0;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (ip_compare(&addresses[middle], ip) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < count)
        bits = common_bits(&addresses[low], ip);
    if (low > 0 && common_bits(&addresses[low - 1], ip) > bits)
        bits = common_bits(&addresses[low - 1], ip);
    return bits;
}

static void score_pair(const struct model *model, const struct model_pair *pair,
                       struct model_score *ret)
{
    const struct model_parts *parts = &model->parts;
    const struct spec_part *spec = spec_find(parts, pair->spec);
    uint64_t hash = entity_hash(parts->scoped, pair->spec, pair->entity);
    uint64_t index = entity_find(parts, hash);
    uint64_t row = entity_row(parts->entity_rows, parts->entity_count, index, hash);

    ret->dot_product = (double)dot_product(model, row, &pair->ip);
    ret->score = 0.0 - ret->dot_product;
    ret->entity_known = index < parts->entity_count;
    ret->known_bits = ret->entity_known ? known_bits(parts, index, &pair->ip) : 0;
    ret->percentile = spec != NULL ? percentile_of(spec, ret->score) : NAN;
    ret->flagged = spec != NULL && ret->score > spec->threshold;
}

void model_score_pairs(const struct model *model, const struct model_pair *pairs, size_t count,
                       struct model_score *ret)
{
    for (size_t i = 0; i < count; i++)
        score_pair(model, &pairs[i], &ret[i]);
}

void model_info(const struct model *model, struct model_info *ret)
{
    const struct model_parts *parts = &model->parts;

    *ret = (struct model_info){
        .detector = "ip_insights",
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

bool model_calibration(const struct model *model, const char *spec, struct model_calibration *ret)
{
    const struct spec_part *part = spec_find(&model->parts, spec);

    if (part == NULL)
        return false;
    *ret = (struct model_calibration){
        .sample_size = part->sample_size,
        .threshold = part->threshold,
        .threshold_percentile = part->threshold_percentile,
        .quantiles = part->quantiles,
    };
    return true;
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
