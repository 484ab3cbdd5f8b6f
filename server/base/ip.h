#pragma once
/* IP addresses: 16 big-endian bytes; IPv4 is kept v4-mapped (::ffff:a.b.c.d), so a CIDR of
 * either family is one range of bytes. Pure values, any thread. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { IP_TEXT_BYTES = 48, CIDR_TEXT_BYTES = 56 };

struct ip {
    uint8_t bytes[16];
};

struct cidr {
    struct ip low, high; /* inclusive */
    int prefix_length;   /* 0..32 for IPv4, 0..128 for IPv6 */
    bool v4;
};

/* Strict: dotted quad without leading zeros, or RFC 4291 text without a zone. v4-mapped IPv6
 * text reads as the IPv4 address it carries. */
bool ip_parse(const char *text, struct ip *ret);
/* RFC 5952 text, or a dotted quad for IPv4. Returns the length. */
size_t ip_format(char ret[static IP_TEXT_BYTES], const struct ip *ip);
static inline bool ip_is_v4(const struct ip *ip)
{
    static const uint8_t PREFIX[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    return memcmp(ip->bytes, PREFIX, sizeof PREFIX) == 0;
}
static inline uint32_t ip_v4(const struct ip *ip) /* host order; only when ip_is_v4 */
{
    return (uint32_t)ip->bytes[12] << 24 | (uint32_t)ip->bytes[13] << 16 |
           (uint32_t)ip->bytes[14] << 8 | ip->bytes[15];
}
struct ip ip_from_v4(uint32_t host_order);
int ip_compare(const struct ip *a, const struct ip *b);
bool ip_equal(const struct ip *a, const struct ip *b);
/* Private, loopback, link-local, multicast, documentation, unspecified …: not on the Internet. */
bool ip_is_global(const struct ip *ip);

/* "10.0.0.0/8", "2001:db8::/32" or a bare address. Host bits must be zero. */
bool cidr_parse(const char *text, struct cidr *ret);
/* The network of prefix_length bits (of the address's own family) around ip. */
struct cidr cidr_around(const struct ip *ip, int prefix_length);
bool cidr_contains(const struct cidr *cidr, const struct ip *ip);
size_t cidr_format(char ret[static CIDR_TEXT_BYTES], const struct cidr *cidr);
