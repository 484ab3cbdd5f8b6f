/* Parents and leaves of prefix rows. */
#include "model/ip_tree.h"

#include "base/own.h"

enum { SHALLOW_BITS = 16, SHALLOW_LEVEL = SHALLOW_BITS / IP_LEVEL_BITS - 1 };

static void set_parents(struct ip_tree *tree, int level)
{
    const struct ip_encoder *encoder = tree->encoder;
    uint32_t root = level < IP_LEVELS_V4 ? IP_ROOT_V4 : IP_ROOT_V6;

    for (uint32_t i = encoder->starts[level]; i < encoder->starts[level + 1]; i++) {
        tree->levels[i + IP_LEVELS] = (uint8_t)level;
        tree->parents[i + IP_LEVELS] =
            level == (int)root ? root : ip_encoder_row(encoder, encoder->keys[i], level - 1);
    }
}

void ip_tree_init(struct ip_tree *tree, const struct ip_encoder *encoder)
{
    size_t rows = ip_encoder_rows(encoder);

    *tree = (struct ip_tree){
        .encoder = encoder,
        .parents = own_array(rows, sizeof *tree->parents),
        .levels = own_array(rows, sizeof *tree->levels),
        .shallow = own_array((size_t)1 << SHALLOW_BITS, sizeof *tree->shallow),
    };
    for (int level = 0; level < IP_LEVELS; level++) {
        tree->levels[level] = (uint8_t)level;
        set_parents(tree, level);
    }
    for (uint32_t bits = 0; bits < 1U << SHALLOW_BITS; bits++) {
        struct ip ip = ip_from_v4(bits << (32 - SHALLOW_BITS));

        tree->shallow[bits] = ip_encoder_leaf(encoder, &ip, 0, SHALLOW_LEVEL + 1, IP_ROOT_V4);
    }
}

void ip_tree_done(struct ip_tree *tree)
{
    own_freep(&tree->parents);
    own_freep(&tree->levels);
    own_freep(&tree->shallow);
}

uint32_t ip_tree_leaf(const struct ip_tree *tree, const struct ip *ip)
{
    uint32_t leaf;

    if (!ip_is_v4(ip))
        return ip_encoder_leaf(tree->encoder, ip, 0, IP_LEVELS_V6, IP_ROOT_V6);
    leaf = tree->shallow[ip_v4(ip) >> (32 - SHALLOW_BITS)];
    if (leaf == IP_ROOT_V4 || tree->levels[leaf] < SHALLOW_LEVEL)
        return leaf;
    return ip_encoder_leaf(tree->encoder, ip, SHALLOW_LEVEL + 1, IP_LEVELS_V4, leaf);
}
