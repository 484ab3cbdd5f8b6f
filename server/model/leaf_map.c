/* Ranges of addresses that have the same leaf. */
#include "model/leaf_map.h"

#include "base/own.h"
#include "model/prefix_tree.h"

enum { TOPS = 1 << 16 };

/* Twice: first ranges are only counted. */
struct laying {
    struct leaf_map *map;
    const struct ip_tree *tree;
    bool counting;
    uint32_t count, last; /* ranges, and the leaf of the one before */
};

/* From address first to last; a range ends with its /16. */
static void lay_range(struct laying *laying, uint32_t first, uint32_t last, uint32_t leaf)
{
    for (uint64_t at = first; at <= last; at = (at >> 16 << 16) + TOPS) {
        bool begins = (at & (TOPS - 1)) == 0;

        if (!begins && leaf == laying->last)
            continue;
        if (begins)
            laying->map->starts[at >> 16] = laying->count;
        if (!laying->counting) {
            laying->map->lows[laying->count] = (uint16_t)at;
            laying->map->leaves[laying->count] = leaf;
        }
        laying->count++;
        laying->last = leaf;
    }
}

/* Of the addresses under a prefix of so many levels, which is a row: at most IP_LEVELS_V4 deep. */
static void lay_row(struct laying *laying, uint32_t row, uint32_t first, int depth)
{
    const struct ip_node *node = &laying->tree->nodes[row];
    uint32_t child = node->children, width;

    if (depth == IP_LEVELS_V4) {
        lay_range(laying, first, first, row);
        return;
    }
    width = UINT32_C(1) << (PREFIX_BITS_V4 - IP_LEVEL_BITS * (depth + 1));
    for (uint32_t at = 0; at < 1U << IP_LEVEL_BITS; at++, first += width)
        if ((node->present >> at & 1) != 0)
            lay_row(laying, child++, first, depth + 1);
        else
            lay_range(laying, first, first + (width - 1), row);
}

void leaf_map_init(struct leaf_map *map, const struct ip_tree *tree)
{
    struct laying laying = {.map = map, .tree = tree, .counting = true};

    *map = (struct leaf_map){.starts = own_aligned(TOPS + 1, sizeof *map->starts)};
    lay_row(&laying, IP_ROOT_V4, 0, 0);
    map->lows = own_aligned(laying.count, sizeof *map->lows);
    map->leaves = own_aligned(laying.count, sizeof *map->leaves);
    laying = (struct laying){.map = map, .tree = tree};
    lay_row(&laying, IP_ROOT_V4, 0, 0);
    map->starts[TOPS] = laying.count;
}

void leaf_map_done(struct leaf_map *map)
{
    own_freep(&map->starts);
    own_freep(&map->lows);
    own_freep(&map->leaves);
}
