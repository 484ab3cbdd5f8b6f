#pragma once
/* Numbers in as many bytes as they need: unsigned LEB128, seven bits a byte, the lowest first; the
 * signed ones folded (zigzag) so that small ones stay short. Whoever writes has made the room;
 * reading past the end gives zeros and says so. Pure; any thread. */
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { VARINT_BYTES_MAX = 10 };

static inline uint8_t *put(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

/* Eight bytes, little-endian. */
static inline uint8_t *put_long(uint8_t *to, uint64_t bits)
{
    bits = htole64(bits);
    (void)memcpy(to, &bits, sizeof bits);
    return to + sizeof bits;
}

struct reader {
    const uint8_t *at, *end;
    bool broken;
};

static inline uint64_t take(struct reader *r)
{
    uint64_t value = 0;

    if (r->at < r->end && *r->at < 0x80) /* as most are */
        return *r->at++;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        uint8_t byte = *r->at++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    r->broken = true;
    return 0;
}

static inline int64_t take_signed(struct reader *r)
{
    uint64_t value = take(r);

    return (int64_t)(value >> 1 ^ ((value & 1) != 0 ? UINT64_MAX : 0));
}

/* bytes: at most 8, little-endian. */
static inline uint64_t take_bits(struct reader *r, int bytes)
{
    uint64_t bits = 0;

    if (r->end - r->at < bytes) {
        r->broken = true;
        return 0;
    }
    (void)memcpy(&bits, r->at, (size_t)bytes);
    r->at += bytes;
    return le64toh(bits);
}

/* What a difference was taken from, wherever it lies. */
static inline int64_t sum_of(int64_t a, uint64_t b)
{
    return (int64_t)((uint64_t)a + b);
}
