#pragma once
/* Learning the prefix tree is nothing but putting addresses in order, so a day is added to what was
 * learned without reading the days before it. Private to this folder. */
#include "base/spool.h"
#include "model/prefix_tree.h"

/* An address not seen for so many half-lives is forgotten, counted to when its entity was seen
 * last: the habits of one that pauses do not fade. */
enum { PREFIX_HALF_LIVES_MAX = 6 };

/* That an entity used an address; as made by prefix_event, one time. */
struct prefix_event {
    uint64_t key; /* prefix_key */
    uint32_t entity : 31;
    uint32_t family : 1;
    uint16_t day;   /* at most PREFIX_DAY_MAX */
    uint16_t count; /* how often; PREFIX_COUNT_MAX = so often or oftener */
};
struct prefix_events {
    struct spool spool;
    uint64_t entity_count;
    uint16_t *last;  /* per entity the newest day */
    bool by_address; /* each address counts once, as it does before FORM_COUNTED */
};

/* What a tree points to when it is not a file's. */
struct prefix_arrays {
    uint64_t *starts[PREFIX_FAMILIES], *keys[PREFIX_FAMILIES], *all_keys[PREFIX_FAMILIES];
    float *weights[PREFIX_FAMILIES];
    uint16_t *days[PREFIX_FAMILIES];
    uint32_t *all_entities[PREFIX_FAMILIES];
};

struct prefix_event prefix_event(uint32_t entity, const struct ip *ip, uint16_t day);
uint16_t prefix_count(uint64_t count); /* at most PREFIX_COUNT_MAX */
uint16_t prefix_day(int64_t time_ms);  /* days since 1970, at most PREFIX_DAY_MAX */

void prefix_events_init(struct prefix_events *events, struct spool_pool *pool,
                        uint64_t entity_count);
NODISCARD enum err_code prefix_events_add(struct prefix_events *events,
                                          const struct prefix_event *event, struct err *err);
void prefix_events_done(struct prefix_events *events); /* accepts zeroed ones */

/* Sorts the events. Each weighs 2^-(age / half-life) and an address what its events weigh, at most
 * PREFIX_COUNT_MAX; by address, what its latest one does. half_life_days > 0. Entities that were
 * not seen for PREFIX_HALF_LIVES_MAX before today are forgotten; today 0: none is. The tree has its
 * index and points to the arrays, which are the caller's to free also after an error: the spools'.
 */
NODISCARD enum err_code prefix_fit(struct prefix_events *events, uint16_t today,
                                   double half_life_days, struct prefix_tree *ret,
                                   struct prefix_arrays *arrays, struct err *err);
void prefix_arrays_done(struct prefix_arrays *arrays); /* accepts a zeroed one */
