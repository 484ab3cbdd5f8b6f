/* Scoring many pairs: what is looked for in memory is asked for some pairs ahead. */
#include <string.h>

#include "model/kernel.h"
#include "model/leaves.h"
#include "model/parts.h"

enum { CHUNK_PAIRS = 256, BLOCK_PAIRS = FACTORS_MAX, NAMES_AHEAD = 16 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same_entity(const struct model_pair *a, const struct model_pair *b)
{
    return strcmp(a->entity, b->entity) == 0 &&
           (a->spec == b->spec || strcmp(a->spec, b->spec) == 0);
}

/* Of count pairs, behind which there are others, `left` with them. */
static void hash_names(const struct model *model, bool by_leaves, const struct model_pair *pairs,
                       size_t count, size_t left, uint64_t *ret_hashes)
{
    const struct model_parts *parts = &model->parts;

    for (size_t i = 0; i < count; i++) {
        if (i + NAMES_AHEAD < left)
            __builtin_prefetch(pairs[i + NAMES_AHEAD].entity);
        ret_hashes[i] = i > 0 && same_entity(&pairs[i - 1], &pairs[i])
                            ? ret_hashes[i - 1]
                            : entity_hash(parts->scoped, pairs[i].spec, pairs[i].entity);
        entity_fetch(parts, ret_hashes[i]);
        if (by_leaves)
            leaves_fetch(model->leaves, &pairs[i].ip);
    }
}

static void find_vectors(const struct model *model, const struct model_pair *pairs,
                         const uint64_t *hashes, struct factors *ret)
{
    const struct model_parts *parts = &model->parts;

    for (size_t i = 0; i < ret->count; i++) {
        ret->first[i] = leaves_vector(model->leaves, &pairs[i].ip);
        ret->second[i] =
            i > 0 && hashes[i - 1] == hashes[i]
                ? ret->second[i - 1]
                : parts->entity_vectors + entity_vector_row(parts, hashes[i]) * parts->stride;
    }
}

/* Three blocks are under way: names of one are hashed, vectors of the one before are found and
 * asked for, and those of the one before that are multiplied. */
static void dots_by_leaves(const struct model *model, const struct model_pair *pairs, size_t count,
                           size_t left, uint64_t *ret_hashes, double *ret)
{
    const struct kernel *kernel = kernel_named(NULL);
    size_t block_count = (count + BLOCK_PAIRS - 1) / BLOCK_PAIRS;
    struct factors blocks[2] = {{.count = 0}};

    for (size_t i = 0; i < block_count + 2; i++) {
        size_t first = i * BLOCK_PAIRS, sought = first - BLOCK_PAIRS, known = sought - BLOCK_PAIRS;
        struct factors *now = &blocks[i % 2], *next = &blocks[(i + 1) % 2];

        if (i < block_count)
            hash_names(model, true, pairs + first, least(count - first, BLOCK_PAIRS), left - first,
                       ret_hashes + first);
        if (i == 0)
            continue;
        next->count = i <= block_count ? least(count - sought, BLOCK_PAIRS) : 0;
        find_vectors(model, pairs + sought, ret_hashes + sought, next);
        kernel->dots(now, next, model->parts.stride, i > 1 ? ret + known : ret);
    }
}

/* Of count pairs, behind which there are others, `left` with them. */
static void dots_of(const struct model *model, bool by_leaves, const struct model_pair *pairs,
                    size_t count, size_t left, uint64_t *ret_hashes, double *ret)
{
    if (by_leaves) {
        dots_by_leaves(model, pairs, count, left, ret_hashes, ret);
        return;
    }
    hash_names(model, false, pairs, count, left, ret_hashes);
    for (size_t i = 0; i < count; i++)
        ret[i] = model_dot(model, entity_vector_row(&model->parts, ret_hashes[i]), &pairs[i].ip);
}

static bool has_leaves(const struct model *model, size_t count)
{
    return model->leaves != NULL && leaves_ready(model->leaves, model, count);
}

void model_dot_products(const struct model *model, const struct model_pair *pairs, size_t count,
                        double *ret)
{
    bool by_leaves = has_leaves(model, count);
    uint64_t hashes[CHUNK_PAIRS];

    for (size_t i = 0; i < count; i += CHUNK_PAIRS)
        dots_of(model, by_leaves, pairs + i, least(count - i, CHUNK_PAIRS), count - i, hashes,
                ret + i);
}

static void score_chunk(const struct model *model, bool by_leaves, const struct model_pair *pairs,
                        size_t count, size_t left, struct model_score *ret)
{
    const struct model_parts *parts = &model->parts;
    struct prefix_pair sought[CHUNK_PAIRS] = {{0, NULL}};
    struct prefix_score found[CHUNK_PAIRS];
    uint64_t hashes[CHUNK_PAIRS] = {0};
    double dots[CHUNK_PAIRS] = {0};

    dots_of(model, by_leaves, pairs, count, left, hashes, dots);
    for (size_t i = 0; i < count; i++)
        sought[i] = (struct prefix_pair){entity_remembered(parts, hashes[i]), &pairs[i].ip};
    prefix_score_pairs(&parts->tree, sought, count, found);
    for (size_t i = 0; i < count; i++)
        model_judge(model, &pairs[i], sought[i].entity, &found[i], dots[i], &ret[i]);
}

void model_score_pairs(const struct model *model, const struct model_pair *pairs, size_t count,
                       struct model_score *ret)
{
    bool by_leaves = has_leaves(model, count);

    for (size_t i = 0; i < count; i += CHUNK_PAIRS)
        score_chunk(model, by_leaves, pairs + i, least(count - i, CHUNK_PAIRS), count - i, ret + i);
}
