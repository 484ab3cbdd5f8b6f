#pragma once
/* Which autonomous system an address is routed by, from a table of ranges, and how the addresses
 * that entities used spread over the systems. A model keeps the table that it was trained with, so
 * its scores do not depend on a file that changes. Constant once made; any thread.
 *
 * To the prefix tree it is one more level, between nothing known and the entity's prefixes: beyond
 * the longest prefix known, an address is as likely as the entity's use of its system says, by
 * Witten-Bell once more.
 *
 *   B(x) = (w(a) / |a| + b * u(x)) / (w + b)
 *
 * w(a): weight of the entity's addresses in the system a of x, w: of all of them, b: number of the
 * systems it used, |a|: how large the system is, u: the uniform density. */
#include "model/prefix_tree.h"

enum { ASN_NAME_BYTES_MAX = 80, ASN_RANGES_MAX = 8 * 1000 * 1000, ASN_NONE = -1 };

/* Disjoint ranges in order, both ends included, as prefix_key has them. */
struct asn_ranges {
    uint64_t count;
    const uint64_t *lows, *highs;
    const uint32_t *systems; /* index into the table */
};
struct asn_table {
    uint64_t system_count;   /* 0: no table */
    const uint32_t *numbers; /* ascending */
    const char *names;       /* as many texts, each with its NUL */
    uint64_t names_length;
    struct asn_ranges families[PREFIX_FAMILIES];
};

/* Of one family. */
struct asn_spread {
    double *sizes;           /* of each system, in keys */
    uint64_t *system_starts; /* system_count + 1, where each system's ranges begin in: */
    uint32_t *ranges;        /* their indexes */
    double *before;          /* keys of the system before that range */
    uint64_t *entity_starts; /* entity_count + 1, where each entity's systems begin in: */
    uint32_t *systems;       /* ascending within an entity */
    float *weights;          /* of the entity's addresses in it */
};
struct asn_index {
    struct asn_table table;
    const char **names;      /* of each system */
    uint64_t *entity_counts; /* entities that used it */
    struct asn_spread families[PREFIX_FAMILIES];
};

/* Whether the ranges are in order and everything points where something is. */
bool asn_table_holds(const struct asn_table *table);
/* NULL without a table. The table's arrays and the tree's are borrowed. */
struct asn_index *asn_index_new(const struct asn_table *table, const struct prefix_tree *tree);
void asn_index_free(struct asn_index *index); /* accepts NULL */

/* Index of the system that routes the key, or ASN_NONE. */
int64_t asn_find(const struct asn_table *table, int family, uint64_t key);
/* Weight of the entity's addresses in the system; 0 for ASN_NONE. */
double asn_weight(const struct asn_index *index, int family, uint64_t entity, int64_t system);
/* Bits of evidence for the key beyond the prefix of so many bits, against a uniform draw there: 0
 * for an entity without addresses of the family. */
double asn_evidence(const struct asn_index *index, int family, uint64_t entity, uint64_t key,
                    int prefix_bits);
