#pragma once
/* The encoder's rows as a tree, for training. An address's vector is the sum of the rows of its
 * prefixes that have one and of the unseen rows of all deeper levels, so it depends on the deepest
 * such prefix alone, the address's leaf: addresses of one leaf share their vector and what it costs
 * to compute. Constant after ip_tree_init; any thread. */
#include "model/ip_encoder.h"
#include <stdbool.h>

struct ip_node {
    uint32_t parent;   /* row; a family's root for those of its first level */
    uint32_t children; /* row of the first; the others follow it */
    uint16_t present;  /* which of the sixteen it has */
    uint8_t level;
};

struct ip_tree {
    struct ip_node *nodes; /* per row */
    uint32_t *shallow;     /* leaf of IPv4 addresses by their first 16 bits, at most /16 */
};

/* A family's root stands for "no prefix has a row"; its number is that of its first unseen row. */
enum { IP_ROOT_V4 = 0, IP_ROOT_V6 = IP_LEVELS_V4 };

void ip_tree_init(struct ip_tree *tree, const struct ip_encoder *encoder);
void ip_tree_done(struct ip_tree *tree); /* accepts a zeroed one */
/* Of an address that is not of NAT64 (prefix_ip). */
uint32_t ip_tree_leaf(const struct ip_tree *tree, const struct ip *ip);
/* Soon its leaf will be asked for. */
void ip_tree_fetch(const struct ip_tree *tree, const struct ip *ip);

static inline bool ip_tree_is_v6(const struct ip_tree *tree, uint32_t row)
{
    return row == IP_ROOT_V6 || (row >= IP_LEVELS && tree->nodes[row].level >= IP_LEVELS_V4);
}
