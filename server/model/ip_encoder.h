#pragma once
/* From an address to the rows that add up to its vector: one row per prefix length, /4 /8 … /32
 * for IPv4 and /4 … /64 for IPv6. A NAT64 address is judged as the IPv4 address it carries
 * (prefix_tree.h). A prefix has a row of its own when training saw it at least IP_PREFIX_SEEN_MIN
 * times; every other one shares its level's row for the unseen, so addresses seen once are not
 * memorised. Rows 0..IP_LEVELS-1 are those for the unseen; the others follow in the order of the
 * keys. Constant after ip_encoder_init; any thread. */
#include "base/err.h"
#include "base/ip.h"
#include "base/spool.h"
#include <stddef.h>
#include <stdint.h>

enum {
    IP_FAMILIES = 2, /* 0 = IPv4, 1 = IPv6 */
    IP_LEVEL_BITS = 4,
    IP_LEVELS_V4 = 8,
    IP_LEVELS_V6 = 16,
    IP_LEVELS = IP_LEVELS_V4 + IP_LEVELS_V6,
    IP_PREFIX_SEEN_MIN = 2
};

struct ip_encoder {
    const uint64_t *keys;           /* borrowed: by level, ascending within */
    uint32_t starts[IP_LEVELS + 1]; /* of each level in keys */
    uint32_t *slots;                /* hash table of key index + 1; owned */
    uint64_t slot_mask;
};

struct ip_path {
    uint32_t count; /* IP_LEVELS_V4 or IP_LEVELS_V6 */
    uint32_t rows[IP_LEVELS_V6];
};

/* counts: keys per level. ERR_CORRUPT when keys are not ascending or have bits beyond their
 * level's length. */
NODISCARD enum err_code ip_encoder_init(struct ip_encoder *encoder, const uint64_t *keys,
                                        const uint32_t counts[static IP_LEVELS], struct err *err);
void ip_encoder_done(struct ip_encoder *encoder); /* accepts a zeroed one */
size_t ip_encoder_rows(const struct ip_encoder *encoder);
void ip_encoder_path(const struct ip_encoder *encoder, const struct ip *ip, struct ip_path *ret);
/* The row of the leading bits at a level, or the level's for the unseen. */
uint32_t ip_encoder_row(const struct ip_encoder *encoder, uint64_t bits, int level);
/* The row of the deepest prefix that has one, among depth .. depth_end - 1 of the address's family
 * and given that all before have one; above when there is none. */
uint32_t ip_encoder_leaf(const struct ip_encoder *encoder, const struct ip *ip, int depth,
                         int depth_end, uint32_t above);

/* The keys that training's addresses call for. keys: prefix_key of each as often as it was seen,
 * IPv4 and IPv6; sorted here. The caller frees *ret. */
NODISCARD enum err_code ip_prefixes_of(struct spool keys[static IP_FAMILIES], uint64_t **ret,
                                       uint32_t ret_counts[IP_LEVELS], struct err *err);
