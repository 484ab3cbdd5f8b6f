/* Addresses in order: finding them. prefix_score.c scores. */
#include "model/prefix_tree.h"

#include <string.h>

#include "base/own.h"
#include "model/asn.h"

struct range {
    uint64_t low, high;
};

uint64_t prefix_key(const struct ip *ip, int *ret_length)
{
    static const uint8_t NAT64[12] = {0x00, 0x64, 0xff, 0x9b};
    const uint8_t *bytes = ip->bytes;
    bool v4 = ip_is_v4(ip) || memcmp(bytes, NAT64, sizeof NAT64) == 0;
    uint64_t key = 0;

    for (int i = 0; i < 8; i++)
        key = key << 8 | (v4 ? i < 4 ? bytes[12 + i] : 0u : bytes[i]);
    *ret_length = v4 ? PREFIX_BITS_V4 : PREFIX_BITS_V6;
    return key;
}

struct ip prefix_ip(const struct ip *ip)
{
    int length;
    uint64_t key = prefix_key(ip, &length);

    return length == PREFIX_BITS_V4 ? ip_from_v4((uint32_t)(key >> 32)) : *ip;
}

static struct ip ip_of_key(uint64_t key, int length)
{
    struct ip ip = {{0}};

    if (length == PREFIX_BITS_V4)
        return ip_from_v4((uint32_t)(key >> 32));
    for (int i = 0; i < 8; i++)
        ip.bytes[i] = (uint8_t)(key >> (56 - 8 * i));
    return ip;
}

/* The forks of a region of ordered keys as a tree, the one with the fewest bits above it: a stack
 * holds the way to the fork that was put in last, whose bits ascend. (Vuillemin 1980, "A unifying
 * look at data structures".) */
static void fork_region(const uint64_t *keys, const float *weights, uint64_t count,
                        struct prefix_fork *ret)
{
    uint32_t way[PREFIX_BITS_V6 + 1] = {0}; /* from the region's first, which is no fork */
    int depth = 0;

    ASSERT(count <= PREFIX_ADDRESSES_MAX);
    for (uint32_t i = 1; i < count; i++) {
        uint64_t apart = keys[i] ^ keys[i - 1];
        uint8_t bit = (uint8_t)(apart != 0 ? __builtin_clzll(apart) : 0);
        uint32_t lower = 0;

        ret[i] = (struct prefix_fork){.weight = weights[i - 1]};
        if (apart == 0)
            continue; /* used by several entities */
        while (depth > 0 && ret[way[depth]].bit >= bit)
            lower = way[depth--];
        ret[i].bit = bit;
        ret[i].lower = lower;
        ret[way[depth]].upper = i;
        way[++depth] = i;
    }
}

static void fork_own(struct prefix_family *family, uint64_t entity_count)
{
    family->forks = own_aligned(family->count, sizeof *family->forks);
    for (uint64_t i = 0; i < entity_count; i++) {
        uint64_t start = family->starts[i], count = family->starts[i + 1] - start;

        if (count == 0)
            continue;
        family->forks[start].weight = family->weights[start + count - 1];
        fork_region(family->keys + start, family->weights + start, count, family->forks + start);
    }
}

/* What each entity's address weighs, in everyone's order: an entity's come in its own. */
static float *spread_weights(const struct prefix_family *family, uint64_t entity_count)
{
    AUTO(own_freep) uint64_t *next = own_array(entity_count + 1, sizeof *next);
    float *weights = own_array(family->count + 1, sizeof *weights);

    for (uint64_t i = 0; i < family->count; i++) {
        uint32_t entity = family->all_entities[i];
        uint64_t start = family->starts[entity], at = start + next[entity]++;

        if (at < family->starts[entity + 1])
            weights[i] = family->weights[at] - (at > start ? family->weights[at - 1] : 0);
    }
    return weights;
}

static void index_all(struct prefix_family *family, uint64_t entity_count)
{
    AUTO(own_freep) float *weights = spread_weights(family, entity_count);
    uint64_t next = 0;

    family->all_starts =
        own_array((UINT64_C(1) << PREFIX_INDEX_BITS) + 1, sizeof *family->all_starts);
    family->all_forks = own_aligned(family->count, sizeof *family->all_forks);
    for (uint64_t top = 0; top < UINT64_C(1) << PREFIX_INDEX_BITS; top++) {
        uint64_t start = next;
        double sum = 0;

        family->all_starts[top] = start;
        while (next < family->count && family->all_keys[next] >> (64 - PREFIX_INDEX_BITS) == top) {
            sum += (double)weights[next];
            weights[next++] = (float)sum;
        }
        family->weight += sum;
        if (next == start)
            continue;
        family->all_forks[start].weight = (float)sum;
        fork_region(family->all_keys + start, weights + start, next - start,
                    family->all_forks + start);
    }
    family->all_starts[UINT64_C(1) << PREFIX_INDEX_BITS] = next;
}

static void family_done(struct prefix_family *family)
{
    family->weight = 0;
    own_freep(&family->all_starts);
    own_freep(&family->forks);
    own_freep(&family->all_forks);
}

void prefix_tree_index(struct prefix_tree *tree)
{
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        family_done(&tree->families[f]);
        index_all(&tree->families[f], tree->entity_count);
        fork_own(&tree->families[f], tree->entity_count);
    }
}

void prefix_tree_route(struct prefix_tree *tree, const struct asn_table *table)
{
    asn_index_free(tree->asn);
    tree->asn = asn_index_new(table, tree);
}

void prefix_tree_done(struct prefix_tree *tree)
{
    asn_index_free(tree->asn);
    tree->asn = NULL;
    for (int f = 0; f < PREFIX_FAMILIES; f++)
        family_done(&tree->families[f]);
}

bool prefix_knows(const struct prefix_tree *tree, uint64_t entity)
{
    for (int f = 0; entity < tree->entity_count && f < PREFIX_FAMILIES; f++)
        if (tree->families[f].starts[entity + 1] > tree->families[f].starts[entity])
            return true;
    return false;
}

static uint64_t lower_bound(const uint64_t *keys, struct range range, uint64_t key)
{
    while (range.low < range.high) {
        uint64_t middle = range.low + (range.high - range.low) / 2;

        if (keys[middle] < key)
            range.low = middle + 1;
        else
            range.high = middle;
    }
    return range.low;
}

size_t prefix_bearers(const struct prefix_tree *tree, const struct ip *ip, int bits, size_t most,
                      uint32_t *ret_entities)
{
    int length;
    uint64_t key = prefix_key(ip, &length);
    const struct prefix_family *family = &tree->families[length == PREFIX_BITS_V6];
    uint64_t mask = bits > 0 ? ~UINT64_C(0) << (64 - bits) : 0;
    uint64_t i = lower_bound(family->all_keys, (struct range){0, family->count}, key & mask);
    size_t count = 0;

    for (; i < family->count && (family->all_keys[i] & mask) == (key & mask) && count < most; i++) {
        bool repeated = false;

        for (size_t j = 0; j < count && !repeated; j++)
            repeated = ret_entities[j] == family->all_entities[i];
        if (!repeated)
            ret_entities[count++] = family->all_entities[i];
    }
    return count;
}

bool prefix_nearest(const struct prefix_tree *tree, uint64_t entity, const struct ip *ip,
                    struct ip *ret, uint16_t *ret_day)
{
    int length;
    uint64_t key = prefix_key(ip, &length), at;
    const struct prefix_family *family = &tree->families[length == PREFIX_BITS_V6];
    struct range own = {0, 0};

    if (entity < tree->entity_count)
        own = (struct range){family->starts[entity], family->starts[entity + 1]};
    if (own.low == own.high)
        return false;
    at = lower_bound(family->keys, own, key);
    if (at == own.high || (at > own.low && (family->keys[at - 1] ^ key) < (family->keys[at] ^ key)))
        at--;
    *ret = ip_of_key(family->keys[at], length);
    *ret_day = prefix_last_seen(family->days[at]);
    return true;
}
