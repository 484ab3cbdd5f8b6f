/* Scoring by narrowing ranges of ordered addresses. */
#include "model/prefix_tree.h"

#include <math.h>
#include <string.h>

#include "base/own.h"
#include "model/asn.h"

enum { BITS_PER_LOG = 8 }; /* a product of so many odds fits a double, whatever the counts */

struct range {
    uint64_t low, high;
};

/* What lies under a prefix, and under the branch the address takes. */
struct branch {
    double all, taken;
    int used; /* of the two branches */
};

/* A sum of logarithms, as a product for a while. */
struct sum {
    double product, bits;
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

void prefix_tree_index(struct prefix_tree *tree)
{
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        struct prefix_family *family = &tree->families[f];
        uint64_t next = 0;

        own_freep(&family->all_starts);
        family->all_starts =
            own_array((UINT64_C(1) << PREFIX_INDEX_BITS) + 1, sizeof *family->all_starts);
        for (uint64_t top = 0; top <= UINT64_C(1) << PREFIX_INDEX_BITS; top++) {
            while (next < family->count && family->all_keys[next] >> (64 - PREFIX_INDEX_BITS) < top)
                next++;
            family->all_starts[top] = next;
        }
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
        own_freep(&tree->families[f].all_starts);
}

enum { GUESSED_MIN = 16 };

/* The first of the range with the bit set; all in it share the bits before. A processor that
 * guesses reads ahead, which pays where what is read is far away; near it guesses wrong too often.
 */
static inline uint64_t split(const uint64_t *keys, struct range range, uint64_t mask)
{
    uint64_t low = range.low, left;

    while (range.high - low > GUESSED_MIN) {
        uint64_t middle = low + (range.high - low) / 2;

        if ((keys[middle] & mask) == 0)
            low = middle + 1;
        else
            range.high = middle;
    }
    for (left = range.high - low; left > 1; left -= left / 2)
        low += (keys[low + left / 2 - 1] & mask) == 0 ? left / 2 : 0;
    return low + (left == 1 && (keys[low] & mask) == 0);
}

/* Faster than from a number that might have its highest bit set. */
static inline double number(uint64_t count)
{
    return (double)(int64_t)count;
}

/* Narrows the range to the side of middle that the address is on. */
static inline struct branch take(struct range *range, uint64_t middle, bool upper)
{
    struct branch branch = {.all = number(range->high - range->low),
                            .used = (middle > range->low) + (range->high > middle)};

    if (upper)
        range->low = middle;
    else
        range->high = middle;
    branch.taken = number(range->high - range->low);
    return branch;
}

static inline struct branch narrow_all(const struct prefix_family *family, uint64_t key, int bit,
                                       struct range *range)
{
    uint64_t mask = UINT64_C(1) << (63 - bit);
    uint64_t middle;

    if (bit < PREFIX_INDEX_BITS) /* the prefix with this bit set and zeros behind it */
        middle = family->all_starts[((key & ~(mask - 1)) | mask) >> (64 - PREFIX_INDEX_BITS)];
    else
        middle = split(family->all_keys, *range, mask);
    return take(range, middle, (key & mask) != 0);
}

static inline struct branch without(const struct branch *all, const struct branch *own)
{
    double taken = all->taken - own->taken,
           left = (all->all - all->taken) - (own->all - own->taken);

    return (struct branch){.all = taken + left, .taken = taken, .used = (taken > 0) + (left > 0)};
}

static inline double weight_of(const struct prefix_family *family, uint64_t start,
                               struct range range)
{
    if (range.low == range.high)
        return 0;
    return (double)family->weights[range.high - 1] -
           (range.low > start ? (double)family->weights[range.low - 1] : 0);
}

static inline double interpolate(const struct branch *branch, double base)
{
    if (branch->used == 0)
        return base;
    return (branch->taken + branch->used * base) / (branch->all + branch->used);
}

static inline __attribute__((always_inline)) void add(struct sum *sum, double share, int bit,
                                                      float *ret_bits)
{
    sum->product *= 2 * share;
    if (ret_bits != NULL)
        ret_bits[bit] = (float)log2(2 * share);
    if (bit % BITS_PER_LOG == BITS_PER_LOG - 1) {
        sum->bits += log2(sum->product);
        sum->product = 1;
    }
}

static double total(const struct sum *sum)
{
    return sum->product < 1 || sum->product > 1 ? sum->bits + log2(sum->product) : sum->bits;
}

/* A pair on the way down. */
struct walk {
    const struct prefix_family *family;
    uint64_t key;
    struct range own, all;
    struct sum both, alone, others, below;
    int bit, length, network;
};

static inline void note_network(const struct walk *walk, struct prefix_score *ret)
{
    if (walk->bit == walk->network - 1)
        ret->neighbours = walk->all.high - walk->all.low - (walk->own.high - walk->own.low);
}

/* Two shares by one division each: the base of the first, and of the second. */
typedef double two __attribute__((vector_size(16)));
static inline two interpolate_two(const struct branch *first, const struct branch *second, two base)
{
    two used = {first->used, second->used};

    return ((two){first->taken, second->taken} + used * base) /
           ((two){first->all, second->all} + used);
}

/* While the entity has addresses under the prefix. */
static inline __attribute__((always_inline)) void
walk_known(struct walk *walk, struct prefix_score *ret, struct prefix_bits *bits)
{
    uint64_t start = walk->own.low;
    double weight = weight_of(walk->family, start, walk->own);

    for (; walk->bit < walk->length && walk->own.low < walk->own.high; walk->bit++) {
        int bit = walk->bit;
        uint64_t mask = UINT64_C(1) << (63 - bit);
        struct branch wide = narrow_all(walk->family, walk->key, bit, &walk->all);
        struct branch deep =
            take(&walk->own, split(walk->family->keys, walk->own, mask), (walk->key & mask) != 0);
        struct branch rest = without(&wide, &deep);
        two shares = interpolate_two(&wide, &rest, (two){0.5, 0.5});
        double of_others = rest.used > 0 ? shares[1] : 0.5;

        deep.all = weight;
        deep.taken = weight = weight_of(walk->family, start, walk->own);
        ret->known_bits += walk->own.low < walk->own.high;
        ret->firm_bits += walk->own.high - walk->own.low > 1;
        note_network(walk, ret);
        shares = interpolate_two(&deep, &deep, (two){shares[0], 0.5});
        add(&walk->both, shares[0], bit, bits ? bits->both : NULL);
        add(&walk->alone, shares[1], bit, bits ? bits->entity : NULL);
        add(&walk->others, of_others, bit, bits ? bits->others : NULL);
        add(&walk->below, walk->own.low < walk->own.high ? 0.5 : of_others, bit, NULL);
    }
}

static inline __attribute__((always_inline)) double
share_unknown(struct walk *walk, struct prefix_score *ret, struct prefix_bits *bits)
{
    struct branch wide = narrow_all(walk->family, walk->key, walk->bit, &walk->all);
    double share = interpolate(&wide, 0.5);

    note_network(walk, ret);
    if (bits != NULL)
        bits->both[walk->bit] = bits->others[walk->bit] = (float)log2(2 * share);
    return share;
}

/* Where only others have been: both and below are what others are, and share their logarithms from
 * where all products are 1. */
static inline __attribute__((always_inline)) void
walk_unknown(struct walk *walk, struct prefix_score *ret, struct prefix_bits *bits)
{
    for (; walk->bit % BITS_PER_LOG != 0 && walk->all.low < walk->all.high; walk->bit++) {
        double share = share_unknown(walk, ret, bits);

        add(&walk->both, share, walk->bit, NULL);
        add(&walk->alone, 0.5, walk->bit, NULL);
        add(&walk->others, share, walk->bit, NULL);
        add(&walk->below, share, walk->bit, NULL);
    }
    while (walk->bit < walk->length && walk->all.low < walk->all.high) {
        int end = walk->bit + BITS_PER_LOG;
        double product = 1;

        for (; walk->bit < end && walk->all.low < walk->all.high; walk->bit++)
            product *= 2 * share_unknown(walk, ret, bits);
        product = log2(product);
        walk->both.bits += product;
        walk->others.bits += product;
        walk->below.bits += product;
    }
}

static inline struct range own_of(const struct prefix_tree *tree, int family, uint64_t entity)
{
    const uint64_t *starts = tree->families[family].starts;

    return entity < tree->entity_count ? (struct range){starts[entity], starts[entity + 1]}
                                       : (struct range){0, 0};
}

void prefix_score(const struct prefix_tree *tree, uint64_t entity, const struct ip *ip,
                  struct prefix_score *ret, struct prefix_bits *bits)
{
    static const struct sum NONE = {1, 0};
    struct walk walk = {.both = NONE, .alone = NONE, .others = NONE, .below = NONE};
    bool v6;

    walk.key = prefix_key(ip, &walk.length);
    v6 = walk.length == PREFIX_BITS_V6;
    walk.network = v6 ? PREFIX_NETWORK_BITS_V6 : PREFIX_NETWORK_BITS_V4;
    walk.family = &tree->families[v6];
    walk.all.high = walk.family->count;
    walk.own = own_of(tree, v6, entity);
    *ret = (struct prefix_score){.length = walk.length};
    if (bits != NULL) {
        *bits = (struct prefix_bits){.both = {0}};
        walk_known(&walk, ret, bits);
        walk_unknown(&walk, ret, bits);
    } else {
        walk_known(&walk, ret, NULL);
        walk_unknown(&walk, ret, NULL);
    }
    ret->both = total(&walk.both);
    ret->entity = total(&walk.alone);
    ret->others = total(&walk.others);
    ret->below = total(&walk.below);
    ret->bearers = walk.all.high - walk.all.low - (walk.own.high - walk.own.low);
    ret->once =
        ret->known_bits == walk.length && (walk.family->days[walk.own.low] & PREFIX_ONCE) != 0;
    if (tree->asn != NULL && entity < tree->entity_count && ret->known_bits < walk.length)
        ret->asn = asn_evidence(tree->asn, v6, entity, walk.key, ret->known_bits);
}

void prefix_fetch_range(const struct prefix_tree *tree, uint64_t entity, const struct ip *ip)
{
    int length;
    uint64_t key = prefix_key(ip, &length);
    int v6 = length == PREFIX_BITS_V6;

    if (entity < tree->entity_count)
        __builtin_prefetch(&tree->families[v6].starts[entity]);
    __builtin_prefetch(&tree->families[v6].all_starts[key >> (64 - PREFIX_INDEX_BITS)]);
}

enum { FETCHED_PARTS = 8 };

void prefix_fetch(const struct prefix_tree *tree, uint64_t entity, const struct ip *ip)
{
    int length;
    uint64_t key = prefix_key(ip, &length), top = key >> (64 - PREFIX_INDEX_BITS);
    int v6 = length == PREFIX_BITS_V6;
    const struct prefix_family *family = &tree->families[v6];
    struct range own = own_of(tree, v6, entity);

    if (family->count == 0)
        return;
    __builtin_prefetch(
        &family->all_keys[(family->all_starts[top] + family->all_starts[top + 1]) / 2]);
    if (own.low == own.high)
        return;
    __builtin_prefetch(&family->weights[own.high - 1]);
    for (uint64_t part = 1; part < FETCHED_PARTS; part++) {
        uint64_t at = own.low + (own.high - own.low) * part / FETCHED_PARTS;
        __builtin_prefetch(&family->keys[at]);
        __builtin_prefetch(&family->weights[at]);
    }
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
