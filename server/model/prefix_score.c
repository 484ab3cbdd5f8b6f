/* Scoring by narrowing ranges of ordered addresses: first how much lies under each prefix of the
 * address, in the entity's tree and in everyone's, then all odds, which depend on nothing else. */
#include <math.h>

#include "model/asn.h"
#include "model/prefix_tree.h"

enum {
    BITS_PER_LOG = 8, /* a product of so many odds fits a double, whatever the counts */
    DEPTHS = PREFIX_BITS_V6 + 1,
    ROOM = 4,
    TOGETHER = 8, /* pairs whose ways are gone at the same time, as memory is far */
};

/* What lies under the address's prefixes of length 0, 1, …: a trail through the tree. */
struct trail {
    double counts[DEPTHS + ROOM], weights[DEPTHS + ROOM]; /* weights: of the entity's own only */
    int known;                                            /* the longest prefix with any address */
    int firm; /* the longest one with two, up to known */
};

/* Of each bit: how much likelier than 1/2 it is, by the sums of struct prefix_score. */
struct odds {
    double both[PREFIX_BITS_V6], alone[PREFIX_BITS_V6], others[PREFIX_BITS_V6],
        below[PREFIX_BITS_V6];
};

/* Faster than from a number that might have its highest bit set. */
static inline double number(uint64_t count)
{
    return (double)(int64_t)count;
}

static inline int first_bit(uint64_t bits, int length)
{
    return bits != 0 ? __builtin_clzll(bits) : length;
}

/* Four at a time: what is written beyond `last` is written again, or is the array's own room. */
static inline void fill(double *values, int first, int last, double value)
{
    for (int i = first; i <= last; i += ROOM)
        for (int k = 0; k < ROOM; k++)
            values[i + k] = value;
}

/* On the way from fork to fork of a region of ordered addresses. */
struct walk {
    const struct prefix_fork *forks;
    const uint64_t *keys;
    uint64_t key, low, high;     /* of the region: the range that is left */
    uint32_t fork;               /* the next one; 0 = none */
    int bits;                    /* that are looked at: up to the last fork's, and its own */
    float under_low, under_high; /* weights summed up to there */
    struct trail *trail;
};

/* The range is narrowed where its addresses part; between, they take one way. Whether the address
 * takes it, too, is seen at the end. */
static inline __attribute__((always_inline)) void pass_fork(struct walk *walk, bool weighted)
{
    const struct prefix_fork *fork = &walk->forks[walk->fork];
    bool upper = (walk->key >> (63 - fork->bit) & 1) != 0;

    fill(walk->trail->counts, walk->bits, fork->bit, number(walk->high - walk->low));
    if (weighted)
        fill(walk->trail->weights, walk->bits, fork->bit,
             (double)walk->under_high - (double)walk->under_low);
    walk->low = upper ? walk->fork : walk->low;
    walk->high = upper ? walk->high : walk->fork;
    walk->under_low = upper ? fork->weight : walk->under_low;
    walk->under_high = upper ? walk->under_high : fork->weight;
    walk->bits = fork->bit + 1;
    walk->fork = upper ? fork->upper : fork->lower;
    if (walk->fork != 0)
        __builtin_prefetch(&walk->forks[walk->fork]);
    else
        __builtin_prefetch(&walk->keys[walk->low]);
}

/* All that are left share what bits are left, and so many of all of them with the address. */
static inline __attribute__((always_inline)) void end_walk(struct walk *walk, int length,
                                                           bool weighted)
{
    struct trail *trail = walk->trail;
    bool any = walk->low < walk->high;
    int shared = any ? first_bit(walk->keys[walk->low] ^ walk->key, length) : walk->bits - 1;

    fill(trail->counts, walk->bits, shared, number(walk->high - walk->low));
    fill(trail->counts, shared + 1, length, 0);
    if (weighted) {
        fill(trail->weights, walk->bits, shared,
             (double)walk->under_high - (double)walk->under_low);
        fill(trail->weights, shared + 1, length, 0);
    }
    trail->known = shared < 0 ? 0 : shared < length ? shared : length;
    trail->firm = walk->bits == 0 ? 0 : walk->bits <= trail->known ? walk->bits - 1 : trail->known;
}

static inline void begin_walk(struct walk *walk, const struct prefix_fork *forks,
                              const uint64_t *keys, uint64_t count)
{
    walk->forks = forks;
    walk->keys = keys;
    walk->low = 0;
    walk->high = count;
    walk->under_low = 0;
    walk->under_high = 0;
    walk->fork = 0;
    if (count > 0)
        __builtin_prefetch(forks);
}

/* The region's first fork says which one it begins with, and what it weighs. */
static inline void enter(struct walk *walk)
{
    if (walk->high == 0)
        return;
    walk->under_high = walk->forks[0].weight;
    walk->fork = walk->forks[0].upper;
    __builtin_prefetch(walk->fork != 0 ? (const void *)&walk->forks[walk->fork]
                                       : (const void *)walk->keys);
}

/* A pair: its ways in the entity's tree and in everyone's. */
struct search {
    const struct prefix_family *family;
    struct walk own, all;
    struct trail own_trail, all_trail;
    uint64_t start; /* of the entity's addresses */
    int length;
};

/* Down to a /16 everyone's are counted already. */
static inline void count_top(const uint64_t *starts, uint64_t top, double *ret_counts)
{
    for (int bits = 0; bits < PREFIX_INDEX_BITS; bits++) {
        uint64_t side = UINT64_C(1) << (PREFIX_INDEX_BITS - bits), first = top & ~(side - 1);

        ret_counts[bits] = number(starts[first + side] - starts[first]);
    }
}

static inline void begin(const struct prefix_tree *tree, uint64_t entity, const struct ip *ip,
                         struct search *search)
{
    uint64_t key = prefix_key(ip, &search->length), top = key >> (64 - PREFIX_INDEX_BITS);
    const struct prefix_family *family = &tree->families[search->length == PREFIX_BITS_V6];
    bool known = entity < tree->entity_count;
    uint64_t start = known ? family->starts[entity] : 0;
    uint64_t end = known ? family->starts[entity + 1] : 0, all = family->all_starts[top];

    search->family = family;
    search->start = start;
    search->own.key = search->all.key = key;
    search->own.bits = 0;
    search->all.bits = PREFIX_INDEX_BITS;
    search->own.trail = &search->own_trail;
    search->all.trail = &search->all_trail;
    begin_walk(&search->own, family->forks + start, family->keys + start, end - start);
    begin_walk(&search->all, family->all_forks + all, family->all_keys + all,
               family->all_starts[top + 1] - all);
    count_top(family->all_starts, top, search->all_trail.counts);
}

/* Each has taken a step before any takes the next: what one waits for is read beside the others. */
static void go(struct search *searches, size_t count)
{
    bool more = true;

    for (size_t i = 0; i < count; i++) {
        enter(&searches[i].own);
        enter(&searches[i].all);
    }
    while (more) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            struct search *search = &searches[i];

            if (search->own.fork != 0)
                pass_fork(&search->own, true);
            if (search->all.fork != 0)
                pass_fork(&search->all, false);
            more = more || search->own.fork != 0 || search->all.fork != 0;
        }
    }
    for (size_t i = 0; i < count; i++) {
        end_walk(&searches[i].own, searches[i].length, true);
        end_walk(&searches[i].all, searches[i].length, false);
        __builtin_prefetch(&searches[i].family->days[searches[i].start + searches[i].own.low]);
    }
}

/* Two bits at a time. */
typedef double two __attribute__((vector_size(16), aligned(8), may_alias));
typedef int64_t choice __attribute__((vector_size(16)));

static inline two at(const double *values, int bit)
{
    return *(const two *)(values + bit);
}

static inline two chosen(choice choice_, two yes, two no)
{
    return (two)(((choice)yes & choice_) | ((choice)no & ~choice_));
}

/* How many of a prefix's two branches were used. */
static inline two branches(two all, two taken)
{
    static const two ONE = {1, 1}, NONE = {0, 0};

    return chosen(taken > NONE, ONE, NONE) + chosen(all > taken, ONE, NONE);
}

static inline two interpolate(two all, two taken, two used, two base)
{
    return chosen(used > (two){0, 0}, (taken + used * base) / (all + used), base);
}

/* While the entity has addresses under the prefix. */
static inline void odds_known(const struct trail *all, const struct trail *own, int bit,
                              struct odds *ret)
{
    static const two HALF = {0.5, 0.5}, NONE = {0, 0};
    two wide = at(all->counts, bit), wide_taken = at(all->counts, bit + 1);
    two deep = at(own->counts, bit), deep_taken = at(own->counts, bit + 1);
    two rest = wide - deep, rest_taken = wide_taken - deep_taken;
    two used = branches(deep, deep_taken), weight = at(own->weights, bit);
    two weight_taken = at(own->weights, bit + 1);
    two base = interpolate(wide, wide_taken, branches(wide, wide_taken), HALF);
    two of_others = interpolate(rest, rest_taken, branches(rest, rest_taken), HALF);

    *(two *)(ret->both + bit) = 2 * interpolate(weight, weight_taken, used, base);
    *(two *)(ret->alone + bit) = 2 * interpolate(weight, weight_taken, used, HALF);
    *(two *)(ret->others + bit) = 2 * of_others;
    *(two *)(ret->below + bit) = 2 * chosen(deep_taken > NONE, HALF, of_others);
}

/* Where only others have been: both and below are what others are. */
static inline void odds_unknown(const struct trail *all, int bit, struct odds *ret)
{
    two wide = at(all->counts, bit), taken = at(all->counts, bit + 1);

    *(two *)(ret->others + bit) =
        2 * interpolate(wide, taken, branches(wide, taken), (two){0.5, 0.5});
}

/* A product of so many odds fits a double, whatever the counts. */
static inline double bits_of(const double *odds)
{
    double product = 1;

    for (int i = 0; i < BITS_PER_LOG; i++)
        product *= odds[i];
    return log2(product);
}

static void tell_bits(const struct odds *odds, int bit, bool known, struct prefix_bits *ret)
{
    for (int end = bit + BITS_PER_LOG; bit < end; bit++) {
        ret->others[bit] = (float)log2(odds->others[bit]);
        ret->both[bit] = known ? (float)log2(odds->both[bit]) : ret->others[bit];
        ret->entity[bit] = known ? (float)log2(odds->alone[bit]) : 0;
    }
}

static inline void add_up(const struct trail *all, const struct trail *own,
                          struct prefix_score *ret, struct prefix_bits *bits)
{
    struct odds odds;
    double below;

    for (int first = 0; first < ret->length && all->counts[first] > 0; first += BITS_PER_LOG) {
        bool known = own->counts[first] > 0;

        if (known) {
            for (int bit = first; bit < first + BITS_PER_LOG; bit += 2)
                odds_known(all, own, bit, &odds);
            ret->both += bits_of(odds.both + first);
            ret->entity += bits_of(odds.alone + first);
            ret->others += bits_of(odds.others + first);
            below = bits_of(odds.below + first);
        } else {
            for (int bit = first; bit < first + BITS_PER_LOG; bit += 2)
                odds_unknown(all, bit, &odds);
            below = bits_of(odds.others + first);
            ret->both += below;
            ret->others += below;
        }
        ret->below += below;
        if (bits != NULL)
            tell_bits(&odds, first, known, bits);
    }
}

/* What the range that is left of a region weighs. */
static inline double weight_left(const struct walk *walk)
{
    return (double)walk->under_high - (double)walk->under_low;
}

/* Of an address that the entity used. */
static inline void note_shares(const struct search *search, struct prefix_score *ret)
{
    double own = weight_left(&search->own), all_own = search->own_trail.weights[0];
    double all_others = search->family->weight - all_own;

    ret->own_share = all_own > 0 ? own / all_own : 0;
    ret->others_share = all_others > 0 ? fmax(0, weight_left(&search->all) - own) / all_others : 0;
}

static void judge(const struct prefix_tree *tree, const struct search *search, uint64_t entity,
                  struct prefix_score *ret, struct prefix_bits *bits)
{
    const struct trail *all = &search->all_trail, *own = &search->own_trail;
    int length = search->length, v6 = length == PREFIX_BITS_V6;
    int network = v6 ? PREFIX_NETWORK_BITS_V6 : PREFIX_NETWORK_BITS_V4;
    const uint16_t *days = search->family->days + search->start;

    *ret = (struct prefix_score){
        .length = length,
        .known_bits = own->known,
        .firm_bits = own->firm,
        .bearers = (uint64_t)(all->counts[length] - own->counts[length]),
        .neighbours = (uint64_t)(all->counts[network] - own->counts[network]),
        .once = own->known == length && (days[search->own.low] & PREFIX_ONCE) != 0,
    };
    add_up(all, own, ret, bits);
    if (own->known == length)
        note_shares(search, ret);
    if (tree->asn != NULL && entity < tree->entity_count && own->known < length)
        ret->asn = asn_evidence(tree->asn, v6, entity, search->own.key, own->known);
}

void prefix_score(const struct prefix_tree *tree, uint64_t entity, const struct ip *ip,
                  struct prefix_score *ret, struct prefix_bits *bits)
{
    struct search search;

    begin(tree, entity, ip, &search);
    go(&search, 1);
    if (bits != NULL)
        *bits = (struct prefix_bits){.both = {0}};
    judge(tree, &search, entity, ret, bits);
}

static void fetch(const struct prefix_tree *tree, uint64_t entity, const struct ip *ip)
{
    int length;
    uint64_t key = prefix_key(ip, &length);
    const struct prefix_family *family = &tree->families[length == PREFIX_BITS_V6];

    if (entity < tree->entity_count)
        __builtin_prefetch(&family->starts[entity]);
    __builtin_prefetch(&family->all_starts[key >> (64 - PREFIX_INDEX_BITS)]);
}

void prefix_score_pairs(const struct prefix_tree *tree, const struct prefix_pair *pairs,
                        size_t count, struct prefix_score *ret)
{
    struct search searches[TOGETHER];

    for (size_t i = 0; i < count; i += TOGETHER) {
        size_t end = i + TOGETHER < count ? i + TOGETHER : count;

        for (size_t k = i; k < end; k++)
            begin(tree, pairs[k].entity, pairs[k].ip, &searches[k - i]);
        for (size_t k = end; k < end + TOGETHER && k < count; k++)
            fetch(tree, pairs[k].entity, pairs[k].ip);
        go(searches, end - i);
        for (size_t k = i; k < end; k++)
            judge(tree, &searches[k - i], pairs[k].entity, &ret[k], NULL);
    }
}
