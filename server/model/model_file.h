#pragma once
/* The model file: little-endian. Its version is the form of its opinions (parts.h); the layout is
 * the same in all.
 *   header: magic, version, number of sections, length of the file, then offset and length of each
 *   section; the sections, each at a multiple of 64; last the SHA-256 of all before it, whose first
 *   half is the model's id. Everything derives from the sections' lengths, which must agree. */
#include "model/parts.h"

enum section_kind {
    SECTION_META,
    SECTION_SPECS,
    SECTION_HYPERPARAMETERS,
    SECTION_METRICS,
    SECTION_PREFIX_KEYS,
    SECTION_PREFIX_VECTORS,
    SECTION_ENTITY_HASHES,
    SECTION_VECTOR_HASHES,
    SECTION_ENTITY_VECTORS,
    SECTION_OBSERVATIONS,
    SECTION_NETWORK_STARTS,
    SECTION_NETWORKS,
    SECTION_ENTITY_NAMES,
    SECTION_ASN_NUMBERS,
    SECTION_ASN_NAMES,
    SECTION_ASN_RANGES,                           /* first of PREFIX_FAMILIES times ASN__MAX */
    SECTION_PREFIX_TREE = SECTION_ASN_RANGES + 6, /* first of PREFIX_FAMILIES times TREE__MAX */
    SECTION__MAX = SECTION_PREFIX_TREE + 12
};

/* Of each family in SECTION_ASN_RANGES. */
enum asn_section { ASN_LOWS, ASN_HIGHS, ASN_SYSTEMS, ASN__MAX };
_Static_assert(SECTION_PREFIX_TREE == SECTION_ASN_RANGES + PREFIX_FAMILIES * ASN__MAX, "room");

/* Of each family in SECTION_PREFIX_TREE. */
enum tree_section {
    TREE_STARTS,
    TREE_KEYS,
    TREE_WEIGHTS,
    TREE_DAYS,
    TREE_ALL_KEYS,
    TREE_ALL_ENTITIES,
    TREE__MAX
};
_Static_assert(SECTION__MAX == SECTION_PREFIX_TREE + PREFIX_FAMILIES * TREE__MAX, "all have room");

struct section {
    uint64_t offset, length;
};
struct file_header {
    char magic[8];
    uint32_t version, section_count;
    uint64_t file_length;
    struct section sections[SECTION__MAX];
};
struct file_meta {
    uint32_t dim, scoped, detector, layers;
    int64_t trained_until_ms;
    uint64_t training_pairs, entity_rows;
    uint32_t prefix_counts[IP_LEVELS];
    uint32_t threshold_kind, unused;
    double threshold_value;
};
extern const char MODEL_MAGIC[8];

/* Writes PATH.new, then renames it; a reader sees the old file or the whole new one. */
NODISCARD enum err_code model_write(const struct model_parts *parts, const char *path,
                                    char ret_id[static MODEL_ID_BYTES], struct err *err);
