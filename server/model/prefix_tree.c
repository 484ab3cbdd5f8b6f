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

/* The first of the range with the bit set; all in it share the bits before. */
static uint64_t split(const uint64_t *keys, struct range range, uint64_t mask)
{
    while (range.low < range.high) {
        uint64_t middle = range.low + (range.high - range.low) / 2;

        if ((keys[middle] & mask) == 0)
            range.low = middle + 1;
        else
            range.high = middle;
    }
    return range.low;
}

/* Narrows the range to the side of middle that the address is on. */
static struct branch take(struct range *range, uint64_t middle, bool upper)
{
    struct branch branch = {.all = (double)(range->high - range->low),
                            .used = (middle > range->low) + (range->high > middle)};

    if (upper)
        range->low = middle;
    else
        range->high = middle;
    branch.taken = (double)(range->high - range->low);
    return branch;
}

static struct branch narrow_all(const struct prefix_family *family, uint64_t key, int bit,
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

static struct branch without(const struct branch *all, const struct branch *own)
{
    double taken = all->taken - own->taken,
           left = (all->all - all->taken) - (own->all - own->taken);

    return (struct branch){.all = taken + left, .taken = taken, .used = (taken > 0) + (left > 0)};
}

static double weight_of(const struct prefix_family *family, uint64_t start, struct range range)
{
    if (range.low == range.high)
        return 0;
    return (double)family->weights[range.high - 1] -
           (range.low > start ? (double)family->weights[range.low - 1] : 0);
}

static double interpolate(const struct branch *branch, double base)
{
    if (branch->used == 0)
        return base;
    return (branch->taken + branch->used * base) / (branch->all + branch->used);
}

static void add(struct sum *sum, double share, int bit, float *ret_bits)
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
    return sum->bits + log2(sum->product);
}

void prefix_score(const struct prefix_tree *tree, uint64_t entity, const struct ip *ip,
                  struct prefix_score *ret, struct prefix_bits *bits)
{
    uint64_t key = prefix_key(ip, &ret->length), start;
    const struct prefix_family *family = &tree->families[ret->length == PREFIX_BITS_V6];
    struct range own = {0, 0}, all = {0, family->count};
    struct sum both = {1, 0}, alone = {1, 0}, others = {1, 0}, below = {1, 0};
    int network = ret->length == PREFIX_BITS_V6 ? PREFIX_NETWORK_BITS_V6 : PREFIX_NETWORK_BITS_V4;
    double weight;

    if (entity < tree->entity_count)
        own = (struct range){family->starts[entity], family->starts[entity + 1]};
    start = own.low;
    weight = weight_of(family, start, own);
    ret->known_bits = ret->firm_bits = 0;
    ret->neighbours = 0;
    if (bits != NULL)
        *bits = (struct prefix_bits){.both = {0}};
    for (int bit = 0; bit < ret->length && all.low < all.high; bit++) {
        struct branch wide = narrow_all(family, key, bit, &all), rest = wide, deep = {0};

        if (own.low < own.high) {
            uint64_t mask = UINT64_C(1) << (63 - bit);

            deep = take(&own, split(family->keys, own, mask), (key & mask) != 0);
            rest = without(&wide, &deep);
            deep.all = weight;
            deep.taken = weight = weight_of(family, start, own);
            ret->known_bits += own.low < own.high;
            ret->firm_bits += own.high - own.low > 1;
        }
        if (bit == network - 1)
            ret->neighbours = all.high - all.low - (own.high - own.low);
        add(&both, interpolate(&deep, interpolate(&wide, 0.5)), bit, bits ? bits->both : NULL);
        add(&alone, interpolate(&deep, 0.5), bit, bits ? bits->entity : NULL);
        add(&others, interpolate(&rest, 0.5), bit, bits ? bits->others : NULL);
        add(&below, own.low < own.high ? 0.5 : interpolate(&rest, 0.5), bit, NULL);
    }
    ret->both = total(&both);
    ret->entity = total(&alone);
    ret->others = total(&others);
    ret->below = total(&below);
    ret->bearers = all.high - all.low - (own.high - own.low);
    ret->once = ret->known_bits == ret->length && (family->days[own.low] & PREFIX_ONCE) != 0;
    ret->asn =
        tree->asn != NULL && entity < tree->entity_count && ret->known_bits < ret->length
            ? asn_evidence(tree->asn, ret->length == PREFIX_BITS_V6, entity, key, ret->known_bits)
            : 0;
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
