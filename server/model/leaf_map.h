#pragma once
/* The leaf (ip_tree.h) of an IPv4 address, found among ranges of addresses that have the same one:
 * two places in memory, where the tree has one for each level. Constant once made; any thread.
 * Private to this folder. */
#include "model/ip_tree.h"

struct leaf_map {
    uint32_t *starts; /* of each /16 in the ranges, and their end */
    uint16_t *lows;   /* of each range: the last 16 bits of its first address; 0 begins a /16 */
    uint32_t *leaves;
};

void leaf_map_init(struct leaf_map *map, const struct ip_tree *tree);
void leaf_map_done(struct leaf_map *map); /* accepts a zeroed one */

static inline uint32_t leaf_map_find(const struct leaf_map *map, uint32_t address)
{
    uint32_t top = address >> 16, low = address & 0xffff, at = map->starts[top], half;

    for (uint32_t left = map->starts[top + 1] - at; left > 1; left -= half) {
        half = left / 2;
        at += map->lows[at + half] <= low ? half : 0;
    }
    return map->leaves[at];
}

/* Soon it will be sought. */
static inline void leaf_map_fetch(const struct leaf_map *map, uint32_t address)
{
    uint32_t at = map->starts[address >> 16];

    __builtin_prefetch(&map->lows[at]);
    __builtin_prefetch(&map->leaves[at]);
}
