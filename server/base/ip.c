/* Strict text forms and byte ranges. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"

static const uint8_t V4_PREFIX[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct ip ip_from_v4(uint32_t host_order)
{
    struct ip ip;

    (void)memcpy(ip.bytes, V4_PREFIX, sizeof V4_PREFIX);
    for (int i = 0; i < 4; i++)
        ip.bytes[12 + i] = (uint8_t)(host_order >> (24 - 8 * i));
    return ip;
}

/* Four numbers 0..255 without leading zeros: 012.0.0.1 is octal to some readers. */
static bool parse_v4(const char *text, struct ip *ret)
{
    uint32_t address = 0;

    for (int octet = 0; octet < 4; octet++) {
        const char *start = text;
        uint32_t value = 0;

        for (; *text >= '0' && *text <= '9' && text - start < 3; text++)
            value = value * 10 + (uint32_t)(*text - '0');
        if (text == start || value > 255 || (text - start > 1 && *start == '0'))
            return false;
        address = address << 8 | value;
        if (*text != (octet < 3 ? '.' : '\0'))
            return false;
        text += octet < 3;
    }
    *ret = ip_from_v4(address);
    return true;
}

bool ip_parse(const char *text, struct ip *ret)
{
    struct in6_addr address;

    if (strchr(text, ':') == NULL)
        return parse_v4(text, ret);
    if (strlen(text) >= IP_TEXT_BYTES || inet_pton(AF_INET6, text, &address) != 1)
        return false;
    (void)memcpy(ret->bytes, address.s6_addr, sizeof ret->bytes);
    return true;
}

/* The longest run of at least two zero groups, the first one of equals (RFC 5952 section 4.2). */
static void longest_zeros(const uint16_t groups[static 8], int *ret_start, int *ret_length)
{
    *ret_start = -1;
    *ret_length = 1;
    for (int i = 0; i < 8; i++) {
        int end = i;

        while (end < 8 && groups[end] == 0)
            end++;
        if (end - i > *ret_length) {
            *ret_start = i;
            *ret_length = end - i;
        }
        if (end > i)
            i = end;
    }
}

static size_t format_v6(char ret[static IP_TEXT_BYTES], const struct ip *ip)
{
    uint16_t groups[8];
    int zeros_at, zeros;
    size_t length = 0;

    for (int i = 0; i < 8; i++)
        groups[i] = (uint16_t)(ip->bytes[2 * i] << 8 | ip->bytes[2 * i + 1]);
    longest_zeros(groups, &zeros_at, &zeros);
    for (int i = 0; i < 8; i++) {
        if (i == zeros_at) {
            length += (size_t)snprintf(ret + length, IP_TEXT_BYTES - length, "::");
            i += zeros - 1;
            continue;
        }
        length += (size_t)snprintf(ret + length, IP_TEXT_BYTES - length, "%s%x",
                                   i > 0 && i != zeros_at + zeros ? ":" : "", groups[i]);
    }
    return length;
}

size_t ip_format(char ret[static IP_TEXT_BYTES], const struct ip *ip)
{
    if (!ip_is_v4(ip))
        return format_v6(ret, ip);
    return (size_t)snprintf(ret, IP_TEXT_BYTES, "%d.%d.%d.%d", ip->bytes[12], ip->bytes[13],
                            ip->bytes[14], ip->bytes[15]);
}

int ip_compare(const struct ip *a, const struct ip *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return ip_compare(a, b) == 0;
}

struct cidr cidr_around(const struct ip *ip, int prefix_length)
{
    struct cidr cidr = {.low = *ip, .high = *ip, .prefix_length = prefix_length};
    int bits;

    cidr.v4 = ip_is_v4(ip);
    ASSERT(prefix_length >= 0 && prefix_length <= (cidr.v4 ? 32 : 128));
    bits = prefix_length + (cidr.v4 ? 96 : 0);
    for (int i = 0; i < 16; i++) {
        int kept = bits - 8 * i;
        uint8_t host = kept >= 8 ? 0 : kept <= 0 ? 0xff : (uint8_t)(0xff >> kept);

        cidr.low.bytes[i] &= (uint8_t)~host;
        cidr.high.bytes[i] |= host;
    }
    return cidr;
}

bool cidr_parse(const char *text, struct cidr *ret)
{
    char address[IP_TEXT_BYTES];
    const char *slash = strchr(text, '/');
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    int64_t prefix_length;
    struct ip ip;

    if (length >= sizeof address)
        return false;
    (void)memcpy(address, text, length);
    address[length] = '\0';
    if (!ip_parse(address, &ip))
        return false;
    prefix_length = ip_is_v4(&ip) ? 32 : 128;
    if (slash != NULL) {
        int64_t longest = prefix_length;

        /* A v4-mapped address with a prefix length: whose bits are meant? */
        if ((ip_is_v4(&ip) && strchr(address, ':') != NULL) || strlen(slash + 1) > 3 ||
            (slash[1] == '0' && slash[2] != '\0') || !str_to_i64(slash + 1, &prefix_length) ||
            prefix_length < 0 || prefix_length > longest)
            return false;
    }
    *ret = cidr_around(&ip, (int)prefix_length);
    return ip_equal(&ret->low, &ip);
}

bool cidr_contains(const struct cidr *cidr, const struct ip *ip)
{
    return ip_compare(ip, &cidr->low) >= 0 && ip_compare(ip, &cidr->high) <= 0;
}

size_t cidr_format(char ret[static CIDR_TEXT_BYTES], const struct cidr *cidr)
{
    size_t length = ip_format(ret, &cidr->low);

    return length +
           (size_t)snprintf(ret + length, CIDR_TEXT_BYTES - length, "/%d", cidr->prefix_length);
}
