/* Parents, children and leaves of prefix rows. */
#include "model/ip_tree.h"

#include "base/own.h"
#include "model/prefix_tree.h"

enum { SHALLOW_BITS = 16, SHALLOW_DEPTH = SHALLOW_BITS / IP_LEVEL_BITS };

static int depth_of(int level)
{
    return level < IP_LEVELS_V4 ? level : level - IP_LEVELS_V4;
}

static unsigned branch(uint64_t bits, int depth)
{
    return (unsigned)(bits >> (64 - IP_LEVEL_BITS * (depth + 1))) & 15;
}

/* Keys are in order, so the children of one prefix are next to each other. */
static void link_level(struct ip_tree *tree, const struct ip_encoder *encoder, int level)
{
    uint32_t root = level < IP_LEVELS_V4 ? IP_ROOT_V4 : IP_ROOT_V6;

    for (uint32_t i = encoder->starts[level]; i < encoder->starts[level + 1]; i++) {
        uint32_t row = i + IP_LEVELS;
        uint32_t parent =
            level == (int)root ? root : ip_encoder_row(encoder, encoder->keys[i], level - 1);
        struct ip_node *above = &tree->nodes[parent];

        tree->nodes[row].level = (uint8_t)level;
        tree->nodes[row].parent = parent;
        if (parent != root && parent < IP_LEVELS)
            continue; /* a file may have it without the one above: no address comes to it */
        if (above->present == 0)
            above->children = row;
        above->present |= (uint16_t)(1U << branch(encoder->keys[i], depth_of(level)));
    }
}

/* From a node at a depth downwards, at most to depth_end. */
static uint32_t leaf_below(const struct ip_tree *tree, uint32_t row, uint64_t bits, int depth,
                           int depth_end)
{
    for (; depth < depth_end; depth++) {
        const struct ip_node *node = &tree->nodes[row];
        unsigned at = branch(bits, depth);

        if ((node->present >> at & 1) == 0)
            break;
        row = node->children + (uint32_t)__builtin_popcount(node->present & ((1U << at) - 1));
    }
    return row;
}

void ip_tree_init(struct ip_tree *tree, const struct ip_encoder *encoder)
{
    *tree = (struct ip_tree){
        .nodes = own_aligned(ip_encoder_rows(encoder), sizeof *tree->nodes),
        .shallow = own_aligned((size_t)1 << SHALLOW_BITS, sizeof *tree->shallow),
    };
    for (int level = 0; level < IP_LEVELS; level++) {
        tree->nodes[level].level = (uint8_t)level;
        link_level(tree, encoder, level);
    }
    for (uint64_t bits = 0; bits < 1U << SHALLOW_BITS; bits++)
        tree->shallow[bits] =
            leaf_below(tree, IP_ROOT_V4, bits << (64 - SHALLOW_BITS), 0, SHALLOW_DEPTH);
}

void ip_tree_done(struct ip_tree *tree)
{
    own_freep(&tree->nodes);
    own_freep(&tree->shallow);
}

uint32_t ip_tree_leaf(const struct ip_tree *tree, const struct ip *ip)
{
    uint64_t bits;
    uint32_t leaf;
    int length;

    if (!ip_is_v4(ip)) {
        bits = prefix_key(ip, &length);
        return leaf_below(tree, IP_ROOT_V6, bits, 0, IP_LEVELS_V6);
    }
    bits = (uint64_t)ip_v4(ip) << 32;
    leaf = tree->shallow[bits >> (64 - SHALLOW_BITS)];
    if (leaf == IP_ROOT_V4 || tree->nodes[leaf].level + 1 < SHALLOW_DEPTH)
        return leaf;
    return leaf_below(tree, leaf, bits, SHALLOW_DEPTH, IP_LEVELS_V4);
}

void ip_tree_fetch(const struct ip_tree *tree, const struct ip *ip)
{
    if (ip_is_v4(ip))
        __builtin_prefetch(&tree->nodes[tree->shallow[ip_v4(ip) >> (32 - SHALLOW_BITS)]]);
}
