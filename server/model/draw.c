/* Drawing addresses. */
#include "model/draw.h"

#include "base/hash.h"
#include "base/own.h"

/* IANA's registry "IPv6 Global Unicast Address Assignments": the blocks of at least a /18, and the
 * /16 that the early /23s are in. */
static const struct block {
    uint16_t bits; /* the first 16 of the address */
    int length;
} BLOCKS[] = {
    {0x2001, 16}, {0x2003, 16}, {0x2400, 12}, {0x2410, 12}, {0x2600, 12},
    {0x2630, 12}, {0x2800, 12}, {0x2a00, 12}, {0x2a10, 12}, {0x2c00, 12},
};

struct ip draw_ip(struct rng *rng, bool v6)
{
    const struct block *block;
    uint64_t words[2];
    struct ip ip;

    if (!v6)
        return ip_from_v4((uint32_t)(rng_u64(rng) >> 32));
    block = &BLOCKS[rng_below(rng, ARRAY_LEN(BLOCKS))];
    words[0] = (uint64_t)block->bits << 48 | rng_u64(rng) >> block->length;
    words[1] = rng_u64(rng);
    for (int i = 0; i < 16; i++)
        ip.bytes[i] = (uint8_t)(words[i / 8] >> (56 - 8 * (i % 8)));
    return ip;
}
