#pragma once
/* Learning the prefix tree is nothing but putting addresses in order, so a day is added to what was
 * learned without reading the days before it. Private to this folder. */
#include "base/spool.h"
#include "model/prefix_tree.h"

/* An address not seen for so many half-lives is forgotten. */
enum { PREFIX_HALF_LIVES_MAX = 6 };

/* That an entity used an address. */
struct prefix_event {
    uint64_t key; /* prefix_key */
    uint32_t entity;
    uint16_t day;
    uint16_t family;
};

/* What a tree points to when it is not a file's. */
struct prefix_arrays {
    uint64_t *starts[PREFIX_FAMILIES], *keys[PREFIX_FAMILIES], *all_keys[PREFIX_FAMILIES];
    float *weights[PREFIX_FAMILIES];
    uint16_t *days[PREFIX_FAMILIES];
    uint32_t *all_entities[PREFIX_FAMILIES];
};

struct prefix_event prefix_event(uint32_t entity, const struct ip *ip, uint16_t day);
uint16_t prefix_day(int64_t time_ms); /* days since 1970, within what 16 bits hold */

/* Sorts the events, of entities below entity_count. An address weighs 2^-(age / half-life) on that
 * day; half_life_days > 0. The tree has its index and points to the arrays, which are the caller's
 * to free also after an error: the spools'. */
NODISCARD enum err_code prefix_fit(struct spool *events, uint64_t entity_count, uint16_t today,
                                   double half_life_days, struct prefix_tree *ret,
                                   struct prefix_arrays *arrays, struct err *err);
void prefix_arrays_done(struct prefix_arrays *arrays); /* accepts a zeroed one */
