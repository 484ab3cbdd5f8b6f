#pragma once
/* How usual an address is for an entity, read off its prefixes: bit by bit from /1 to /32 (IPv6: to
 * /64), the odds of each bit given those before it, by Witten-Bell interpolation.
 *
 *   P(bit | prefix) = (c(prefix, bit) + b * Q(bit | prefix)) / (c(prefix) + b)
 *
 * c counts how often the entity was seen under the prefix, the less the longer ago it was
 * (everyone's c: distinct addresses); b is how many of the prefix's two branches were used; Q is
 * what is thought without the entity: 1/2, or the same estimate over everyone. (Witten and Bell
 * 1991, "The zero-frequency problem", method C.) The sum of log2(P / (1/2)) over the bits is the
 * score, in bits: above 0 the address is likelier than a random draw.
 *
 * Addresses lie in order, so what is under a prefix is a range of them, which is narrowed where
 * they part. Those places are a tree, made when a model is loaded. Constant once made; any thread.
 * Private to this folder. */
#include "base/err.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PREFIX_BITS_V4 = 32,
    PREFIX_BITS_V6 = 64,
    PREFIX_FAMILIES = 2,                /* 0 = IPv4, 1 = IPv6 */
    PREFIX_ENTITY_ADDRESSES_MAX = 4096, /* kept of an entity and family: the latest seen */
    PREFIX_COUNT_MAX = UINT16_MAX,      /* an address does not weigh more */
    PREFIX_NETWORK_BITS_V4 = 24,
    PREFIX_NETWORK_BITS_V6 = 48,
    PREFIX_INDEX_BITS = 16,
    PREFIX_DAY_MAX = 0x7fff, /* in 2059 */
    PREFIX_ONCE = 0x8000,
};

/* In days since 1970 UTC. The bit above them says that it was seen one time only. */
static inline uint16_t prefix_last_seen(uint16_t day)
{
    return day & PREFIX_DAY_MAX;
}

#define PREFIX_ADDRESSES_MAX UINT32_MAX /* of a family, each as often as it has entities */

/* Addresses that lie in order part between the one before number i and number i, which is the
 * fork's number, too: both share `bit` bits, and the next one is set in all from i on up to where
 * those bits end. Fork 0 is none, and says which is the first one: its `upper`. */
struct prefix_fork {
    float weight;          /* of those before it, from the region's first; fork 0: of all */
    uint32_t lower, upper; /* the next fork of those without the bit and of those with; 0 = none */
    uint8_t bit;
};

/* Of one family. All arrays are borrowed but the index. */
struct prefix_family {
    const uint64_t *starts; /* entity_count + 1: where an entity's addresses begin */
    const uint64_t *keys;   /* prefix_key of each; ascending within an entity, distinct */
    const float *weights;   /* summed up from the entity's first address to this one, included */
    const uint16_t *days;   /* last seen, as prefix_last_seen takes it apart */
    /* All of them once more, by address, then by entity. */
    uint64_t count;
    const uint64_t *all_keys;
    const uint32_t *all_entities;
    /* The index, owned: where each /16 begins in all_keys, the forks of each, and of each entity.
     */
    uint64_t *all_starts;
    struct prefix_fork *all_forks, *forks;
    double weight; /* of all */
};
struct asn_index;
struct asn_table;
struct prefix_tree {
    uint64_t entity_count;
    struct prefix_family families[PREFIX_FAMILIES];
    struct asn_index *asn; /* owned, made by prefix_tree_route; NULL = no table of systems */
};

/* In bits; higher = more usual. */
struct prefix_score {
    double both;    /* by the entity's addresses, and everyone's where it has none */
    double entity;  /* by the entity's alone */
    double others;  /* by everyone else's alone */
    double below;   /* the part of others beyond known_bits: where the entity is in a new place */
    double asn;     /* by the entity's use of autonomous systems, beyond known_bits */
    int length;     /* bits that count: 32 or 64 */
    int known_bits; /* longest prefix shared with an address of the entity, up to length */
    int firm_bits;  /* with two of them, at most known_bits */
    bool once;      /* the entity was seen at the address, one time only */
    /* Of an address that the entity used: its share of what the entity does, and of what all others
     * do, by weight. 0 of any other. */
    double own_share, others_share;
    uint64_t bearers;    /* other entities that used the address (IPv6: its /64) */
    uint64_t neighbours; /* addresses of other entities in its /24 (IPv6: /48) */
};
/* The three sums before they are summed; bit 0 is /1. */
struct prefix_bits {
    float both[PREFIX_BITS_V6], entity[PREFIX_BITS_V6], others[PREFIX_BITS_V6];
};

/* Once, before the first score. */
void prefix_tree_index(struct prefix_tree *tree);
/* Adds the level of autonomous systems; a table without any adds none. The table's arrays must
 * outlive the tree. */
void prefix_tree_route(struct prefix_tree *tree, const struct asn_table *table);
void prefix_tree_done(struct prefix_tree *tree); /* frees the indexes; accepts a zeroed one */

/* entity is an index, or entity_count for one that is not known. bits may be NULL. */
void prefix_score(const struct prefix_tree *tree, uint64_t entity, const struct ip *ip,
                  struct prefix_score *ret, struct prefix_bits *bits);

/* The same of many, faster. */
struct prefix_pair {
    uint64_t entity;
    const struct ip *ip;
};
void prefix_score_pairs(const struct prefix_tree *tree, const struct prefix_pair *pairs,
                        size_t count, struct prefix_score *ret);

/* Whether anything is left of what the entity used. */
bool prefix_knows(const struct prefix_tree *tree, uint64_t entity);

/* The bits that count, from the top of the word: IPv4 all 32, IPv6 the network's 64. A NAT64
 * address (64:ff9b::/96, RFC 6052) is the IPv4 address it carries. */
uint64_t prefix_key(const struct ip *ip, int *ret_length);

/* The address whose bits count: the IPv4 address that a NAT64 one carries, or the same. */
struct ip prefix_ip(const struct ip *ip);

/* Entities that used addresses with this many leading bits of ip, the first `most` of them. */
size_t prefix_bearers(const struct prefix_tree *tree, const struct ip *ip, int bits, size_t most,
                      uint32_t *ret_entities);
/* The entity's address that shares the longest prefix with ip; false when it has none. */
bool prefix_nearest(const struct prefix_tree *tree, uint64_t entity, const struct ip *ip,
                    struct ip *ret, uint16_t *ret_day);
