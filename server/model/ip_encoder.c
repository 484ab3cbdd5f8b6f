/* Prefix rows of addresses: which prefixes have one, and finding them. */
#include "model/ip_encoder.h"

#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/prefix_tree.h"

enum { KEYS_MIN = 256 };

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

/* The prefixes of a level that were seen often enough. */
struct level {
    uint64_t *keys;
    size_t count, capacity;
    uint64_t key; /* the last one seen, and how often */
    int seen;
};

static void see(struct level *level, uint64_t key)
{
    level->seen = level->seen > 0 && level->key == key ? level->seen + 1 : 1;
    level->key = key;
    if (level->seen != IP_PREFIX_SEEN_MIN)
        return;
    if (level->count == level->capacity) {
        level->capacity = level->capacity > 0 ? 2 * level->capacity : KEYS_MIN;
        level->keys = own_resize(level->keys, level->capacity, sizeof *level->keys);
    }
    level->keys[level->count++] = key;
}

/* A key that was seen often enough needs no counting: its prefixes were, too. */
static enum err_code see_all(struct spool *sorted, const struct family *family,
                             struct level levels[static IP_LEVELS], struct err *err)
{
    AUTO(spool_reader_done) struct spool_reader reader = {.buffer = NULL};
    const struct level *last = &levels[family->first_level + family->levels - 1];

    spool_reader_init(&reader, sorted);
    for (;;) {
        const void *next;
        uint64_t key;

        TRY(spool_next(&reader, &next, err));
        if (next == NULL)
            return ERR_NONE;
        memcpy(&key, next, sizeof key);
        if (last->seen >= IP_PREFIX_SEEN_MIN && last->key == key)
            continue;
        for (int depth = 0; depth < family->levels; depth++)
            see(&levels[family->first_level + depth], key & level_mask(depth));
    }
}

static uint64_t *join(const struct level levels[static IP_LEVELS], uint32_t ret_counts[IP_LEVELS])
{
    uint64_t *keys;
    size_t used = 0;

    for (int level = 0; level < IP_LEVELS; level++)
        used += levels[level].count;
    keys = own_array(used + 1, sizeof *keys);
    used = 0;
    for (int level = 0; level < IP_LEVELS; level++) {
        if (levels[level].count > 0)
            memcpy(keys + used, levels[level].keys, levels[level].count * sizeof *keys);
        used += levels[level].count;
        ret_counts[level] = (uint32_t)levels[level].count;
    }
    return keys;
}

static int by_value(const void *a, const void *b, void *unused)
{
    uint64_t x, y;

    (void)unused;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

enum err_code ip_prefixes_of(struct spool keys[static IP_FAMILIES], uint64_t **ret,
                             uint32_t ret_counts[IP_LEVELS], struct err *err)
{
    static const uint8_t DIGITS[] = {0, 1, 2, 3, 4, 5, 6, 7};
    const struct spool_order order = {
        .compare = by_value, .digits = DIGITS, .digit_count = sizeof DIGITS};
    const struct family *const families[IP_FAMILIES] = {&V4, &V6};
    struct level levels[IP_LEVELS] = {{.count = 0}};
    enum err_code code = ERR_NONE;

    for (int f = 0; f < IP_FAMILIES && code == ERR_NONE; f++) {
        code = spool_sort(&keys[f], &order, err);
        if (code == ERR_NONE)
            code = see_all(&keys[f], families[f], levels, err);
    }
    if (code == ERR_NONE)
        *ret = join(levels, ret_counts);
    for (int level = 0; level < IP_LEVELS; level++)
        own_freep(&levels[level].keys);
    return code;
}
