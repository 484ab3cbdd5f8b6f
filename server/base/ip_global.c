/* Which addresses are of the Internet: the IANA IPv4 and IPv6 special-purpose address registries
 * (RFC 6890, RFC 8190 and what they list), column "Globally Reachable". Beside them multicast,
 * the deprecated site-local block (RFC 3879) and 6to4's relay block (RFC 7526) are not. An entry
 * of which the registry says "N/A" (Teredo, 6to4) is judged by what surrounds it.
 * Asked for every row of a flow log, so the tables are numbers, not texts. */
#include "base/ip.h"
#include "base/own.h"

/* The first entry that holds the address decides; exceptions stand before what they are cut from.
 */
struct v4_block {
    uint32_t network;
    int prefix_length;
    bool global;
};
static const struct v4_block V4_BLOCKS[] = {
    {0x00000000, 8, false},  /* 0.0.0.0/8 this network */
    {0x0a000000, 8, false},  /* 10.0.0.0/8 private */
    {0x64400000, 10, false}, /* 100.64.0.0/10 shared by carriers */
    {0x7f000000, 8, false},  /* 127.0.0.0/8 loopback */
    {0xa9fe0000, 16, false}, /* 169.254.0.0/16 link-local */
    {0xac100000, 12, false}, /* 172.16.0.0/12 private */
    {0xc0000009, 32, true},  /* 192.0.0.9 port control anycast */
    {0xc000000a, 32, true},  /* 192.0.0.10 TURN anycast */
    {0xc0000000, 24, false}, /* 192.0.0.0/24 protocol assignments */
    {0xc0000200, 24, false}, /* 192.0.2.0/24 documentation */
    {0xc0586300, 24, false}, /* 192.88.99.0/24 6to4 relays, deprecated */
    {0xc0a80000, 16, false}, /* 192.168.0.0/16 private */
    {0xc6120000, 15, false}, /* 198.18.0.0/15 benchmarks */
    {0xc6336400, 24, false}, /* 198.51.100.0/24 documentation */
    {0xcb007100, 24, false}, /* 203.0.113.0/24 documentation */
    {0xe0000000, 4, false},  /* 224.0.0.0/4 multicast */
    {0xf0000000, 4, false},  /* 240.0.0.0/4 reserved, broadcast */
};

/* The upper 64 bits are enough but for single addresses, which compare all. */
struct v6_block {
    uint64_t high, low;
    int prefix_length;
    bool global;
};
static const struct v6_block V6_BLOCKS[] = {
    {0x0000000000000000, 0x0, 127, false}, /* ::/128 unspecified, ::1/128 loopback */
    {0x0064ff9b00010000, 0x0, 48, false},  /* 64:ff9b:1::/48 local-use translation */
    {0x0100000000000000, 0x0, 64, false},  /* 100::/64 discard */
    {0x0100000000000001, 0x0, 64, false},  /* 100:0:0:1::/64 dummy */
    {0x2001000100000000, 0x1, 128, true},  /* 2001:1::1 port control anycast */
    {0x2001000100000000, 0x2, 128, true},  /* 2001:1::2 TURN anycast */
    {0x2001000100000000, 0x3, 128, true},  /* 2001:1::3 service registration anycast */
    {0x2001000300000000, 0x0, 32, true},   /* 2001:3::/32 AMT */
    {0x2001000401120000, 0x0, 48, true},   /* 2001:4:112::/48 AS112 */
    {0x2001002000000000, 0x0, 28, true},   /* 2001:20::/28 ORCHIDv2 */
    {0x2001003000000000, 0x0, 28, true},   /* 2001:30::/28 remote identification */
    {0x2001000000000000, 0x0, 23, false},  /* 2001::/23 protocol assignments */
    {0x20010db800000000, 0x0, 32, false},  /* 2001:db8::/32 documentation */
    {0x3fff000000000000, 0x0, 20, false},  /* 3fff::/20 documentation */
    {0x5f00000000000000, 0x0, 16, false},  /* 5f00::/16 segment routing */
    {0xfc00000000000000, 0x0, 7, false},   /* fc00::/7 unique local */
    {0xfe80000000000000, 0x0, 10, false},  /* fe80::/10 link-local */
    {0xfec0000000000000, 0x0, 10, false},  /* fec0::/10 site-local, deprecated */
    {0xff00000000000000, 0x0, 8, false},   /* ff00::/8 multicast */
};

static uint64_t load_u64(const uint8_t bytes[static 8])
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* The mask of the first bits of a 64-bit word; bits may lie outside 0..64. */
static uint64_t mask_of(int bits)
{
    if (bits <= 0)
        return 0;
    return bits >= 64 ? UINT64_MAX : UINT64_MAX << (64 - bits);
}

static bool v4_is_global(uint32_t address)
{
    for (size_t i = 0; i < ARRAY_LEN(V4_BLOCKS); i++) {
        const struct v4_block *block = &V4_BLOCKS[i];

        if ((address ^ block->network) >> (32 - block->prefix_length) == 0)
            return block->global;
    }
    return true;
}

bool ip_is_global(const struct ip *ip)
{
    uint64_t high = load_u64(ip->bytes), low = load_u64(ip->bytes + 8);

    if (ip_is_v4(ip))
        return v4_is_global(ip_v4(ip));
    for (size_t i = 0; i < ARRAY_LEN(V6_BLOCKS); i++) {
        const struct v6_block *block = &V6_BLOCKS[i];

        if (((high ^ block->high) & mask_of(block->prefix_length)) == 0 &&
            ((low ^ block->low) & mask_of(block->prefix_length - 64)) == 0)
            return block->global;
    }
    return true;
}
