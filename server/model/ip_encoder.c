/* Prefix rows of addresses: which prefixes have one, and finding them. */
#include "model/ip_encoder.h"

#include "base/hash.h"
#include "base/own.h"
#include "model/prefix_tree.h"

struct family {
    int first_level, levels;
};
static const struct family V4 = {0, IP_LEVELS_V4}, V6 = {IP_LEVELS_V4, IP_LEVELS_V6};

/* The bits that count, at the top of the word. */
static uint64_t leading_bits(const struct ip *ip, const struct family **ret_family)
{
    int length;
    uint64_t bits = prefix_key(ip, &length);

    *ret_family = length == PREFIX_BITS_V4 ? &V4 : &V6;
    return bits;
}

static uint64_t level_mask(int depth)
{
    return UINT64_MAX << (64 - IP_LEVEL_BITS * (depth + 1));
}

static int depth_of(int level)
{
    return level < IP_LEVELS_V4 ? level : level - IP_LEVELS_V4;
}

static uint64_t slot_of(uint64_t key, int level)
{
    return hash_mix(key + (uint64_t)level + 1);
}

static void fill_slots(struct ip_encoder *encoder)
{
    for (int level = 0; level < IP_LEVELS; level++) {
        for (uint32_t i = encoder->starts[level]; i < encoder->starts[level + 1]; i++) {
            uint64_t at = slot_of(encoder->keys[i], level) & encoder->slot_mask;

            while (encoder->slots[at] != 0)
                at = (at + 1) & encoder->slot_mask;
            encoder->slots[at] = i + 1;
        }
    }
}

static enum err_code check_level(const struct ip_encoder *encoder, int level, struct err *err)
{
    uint64_t mask = level_mask(depth_of(level));

    for (uint32_t i = encoder->starts[level]; i < encoder->starts[level + 1]; i++) {
        if ((encoder->keys[i] & ~mask) != 0)
            return err_set(err, ERR_CORRUPT, "a prefix is longer than its level");
        if (i > encoder->starts[level] && encoder->keys[i] <= encoder->keys[i - 1])
            return err_set(err, ERR_CORRUPT, "the prefixes are not in order");
    }
    return ERR_NONE;
}

enum err_code ip_encoder_init(struct ip_encoder *encoder, const uint64_t *keys,
                              const uint32_t counts[static IP_LEVELS], struct err *err)
{
    uint64_t slots = 64;

    *encoder = (struct ip_encoder){.keys = keys};
    for (int level = 0; level < IP_LEVELS; level++) {
        if (counts[level] > UINT32_MAX - IP_LEVELS - 1 - encoder->starts[level])
            return err_set(err, ERR_CORRUPT, "there are too many prefixes");
        encoder->starts[level + 1] = encoder->starts[level] + counts[level];
        TRY(check_level(encoder, level, err));
    }
    while (slots < 2 * (uint64_t)encoder->starts[IP_LEVELS])
        slots *= 2;
    encoder->slots = own_array(slots, sizeof *encoder->slots);
    encoder->slot_mask = slots - 1;
    fill_slots(encoder);
    return ERR_NONE;
}

void ip_encoder_done(struct ip_encoder *encoder)
{
    own_freep(&encoder->slots);
}

size_t ip_encoder_rows(const struct ip_encoder *encoder)
{
    return (size_t)encoder->starts[IP_LEVELS] + IP_LEVELS;
}

uint32_t ip_encoder_row(const struct ip_encoder *encoder, uint64_t bits, int level)
{
    uint64_t key = bits & level_mask(depth_of(level));

    for (uint64_t at = slot_of(key, level) & encoder->slot_mask; encoder->slots[at] != 0;
         at = (at + 1) & encoder->slot_mask) {
        uint32_t i = encoder->slots[at] - 1;

        if (encoder->keys[i] == key && i >= encoder->starts[level] &&
            i < encoder->starts[level + 1])
            return i + IP_LEVELS;
    }
    return (uint32_t)level;
}

/* Below an unseen prefix all are unseen: the search ends with the first. */
void ip_encoder_path(const struct ip_encoder *encoder, const struct ip *ip, struct ip_path *ret)
{
    const struct family *family;
    uint64_t bits = leading_bits(ip, &family);
    bool seen = true;

    ret->count = (uint32_t)family->levels;
    for (int depth = 0; depth < family->levels; depth++) {
        int level = family->first_level + depth;

        ret->rows[depth] = seen ? ip_encoder_row(encoder, bits, level) : (uint32_t)level;
        seen = seen && ret->rows[depth] >= IP_LEVELS;
    }
}

uint32_t ip_encoder_leaf(const struct ip_encoder *encoder, const struct ip *ip, int depth,
                         int depth_end, uint32_t above)
{
    const struct family *family;
    uint64_t bits = leading_bits(ip, &family);

    if (depth_end > family->levels)
        depth_end = family->levels;
    for (; depth < depth_end; depth++) {
        uint32_t row = ip_encoder_row(encoder, bits, family->first_level + depth);

        if (row < IP_LEVELS)
            break;
        above = row;
    }
    return above;
}

/* Appends a level's prefixes that were seen often enough. */
static size_t collect_level(const struct ip *sorted, size_t count, int level, uint64_t *keys)
{
    const struct family *family = level < IP_LEVELS_V4 ? &V4 : &V6;
    uint64_t mask = level_mask(depth_of(level)), key = 0;
    size_t seen = 0, kept = 0;

    for (size_t i = 0; i < count; i++) {
        const struct family *of;
        uint64_t here = leading_bits(&sorted[i], &of) & mask;

        if (of != family)
            continue;
        seen = seen > 0 && here == key ? seen + 1 : 1;
        key = here;
        if (seen == IP_PREFIX_SEEN_MIN)
            keys[kept++] = key;
    }
    return kept;
}

uint64_t *ip_prefixes_of(const struct ip *sorted, size_t count, uint32_t ret_counts[IP_LEVELS])
{
    uint64_t *keys = NULL;
    size_t used = 0;

    for (int level = 0; level < IP_LEVELS; level++) {
        keys = own_resize(keys, used + count / IP_PREFIX_SEEN_MIN + 1, sizeof *keys);
        ret_counts[level] = (uint32_t)collect_level(sorted, count, level, keys + used);
        used += ret_counts[level];
    }
    return keys;
}
