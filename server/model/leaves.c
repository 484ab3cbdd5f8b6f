/* A vector for each leaf. */
#include "model/leaves.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/own.h"
#include "model/leaf_map.h"
#include "model/parts.h"

struct leaves {
    pthread_mutex_t making;
    atomic_size_t scored;
    atomic_bool ready;
    struct ip_tree tree;
    struct leaf_map map;
    float *vectors; /* per row of the tree; set before ready is */
    size_t stride;
};

struct leaves *leaves_new(void)
{
    struct leaves *leaves = own_alloc(sizeof *leaves);

    (void)pthread_mutex_init(&leaves->making, NULL);
    return leaves;
}

void leaves_freep(struct leaves **leaves)
{
    if (*leaves == NULL)
        return;
    (void)pthread_mutex_destroy(&(*leaves)->making);
    if ((*leaves)->vectors != NULL) {
        ip_tree_done(&(*leaves)->tree);
        leaf_map_done(&(*leaves)->map);
    }
    own_freep(&(*leaves)->vectors);
    own_freep(leaves);
}

/* Its own rows from the root down, then those for the unseen: as ip_encoder_path has them. */
static void path_to(const struct ip_tree *tree, uint32_t leaf, struct ip_path *ret)
{
    bool v6 = ip_tree_is_v6(tree, leaf);
    uint32_t first = v6 ? IP_ROOT_V6 : IP_ROOT_V4;

    ret->count = v6 ? IP_LEVELS_V6 : IP_LEVELS_V4;
    for (uint32_t depth = 0; depth < ret->count; depth++)
        ret->rows[depth] = first + depth;
    for (; leaf >= IP_LEVELS; leaf = tree->nodes[leaf].parent)
        ret->rows[tree->nodes[leaf].level - first] = leaf;
}

static void make(struct leaves *leaves, const struct model *model, size_t rows)
{
    leaves->stride = model->parts.stride;
    ip_tree_init(&leaves->tree, &model->encoder);
    leaf_map_init(&leaves->map, &leaves->tree);
    leaves->vectors = own_aligned(rows * leaves->stride, sizeof *leaves->vectors);
    for (uint32_t row = 0; row < rows; row++) {
        struct ip_path path;

        if (row < IP_LEVELS && row != IP_ROOT_V4 && row != IP_ROOT_V6)
            continue;
        path_to(&leaves->tree, row, &path);
        model_encode(model, &path, path.count, leaves->vectors + row * leaves->stride);
    }
}

bool leaves_ready(struct leaves *leaves, const struct model *model, size_t count)
{
    size_t rows = ip_encoder_rows(&model->encoder);

    if (atomic_load(&leaves->ready))
        return true;
    if (atomic_fetch_add(&leaves->scored, count) + count < rows ||
        (double)rows * (double)model->parts.stride * sizeof(float) > LEAVES_BYTES_MAX ||
        pthread_mutex_trylock(&leaves->making) != 0)
        return false; /* another thread makes them: this one does not wait */
    if (!atomic_load(&leaves->ready)) {
        make(leaves, model, rows);
        atomic_store(&leaves->ready, true);
    }
    (void)pthread_mutex_unlock(&leaves->making);
    return true;
}

const float *leaves_vector(const struct leaves *leaves, const struct ip *ip)
{
    int length;
    uint64_t key = prefix_key(ip, &length);
    size_t leaf = length == PREFIX_BITS_V4 ? leaf_map_find(&leaves->map, (uint32_t)(key >> 32))
                                           : ip_tree_leaf(&leaves->tree, ip);

    return leaves->vectors + leaf * leaves->stride;
}

void leaves_fetch(const struct leaves *leaves, const struct ip *ip)
{
    if (ip_is_v4(ip))
        leaf_map_fetch(&leaves->map, ip_v4(ip));
}
