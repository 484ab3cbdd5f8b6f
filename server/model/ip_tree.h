#pragma once
/* The encoder's rows as a tree, for training. An address's vector is the sum of the rows of its
 * prefixes that have one and of the unseen rows of all deeper levels, so it depends on the deepest
 * such prefix alone, the address's leaf: addresses of one leaf share their vector and what it costs
 * to compute. Constant after ip_tree_init; any thread. */
#include "model/ip_encoder.h"

struct ip_tree {
    const struct ip_encoder *encoder; /* borrowed */
    uint32_t *parents;                /* per row; a family's root for those of its first level */
    uint8_t *levels;                  /* per row */
    uint32_t *shallow; /* leaf of IPv4 addresses by their first 16 bits, at most /16 */
};

/* A family's root stands for "no prefix has a row"; its number is that of its first unseen row. */
enum { IP_ROOT_V4 = 0, IP_ROOT_V6 = IP_LEVELS_V4 };

void ip_tree_init(struct ip_tree *tree, const struct ip_encoder *encoder);
void ip_tree_done(struct ip_tree *tree); /* accepts a zeroed one */
/* Of an address that is not of NAT64 (prefix_ip). */
uint32_t ip_tree_leaf(const struct ip_tree *tree, const struct ip *ip);
