#include "store/chunk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/str.h"
#include "store/varint.h"

enum {
    FORMAT = 3,
    FORMAT_BINARY = 2, /* of before there were decimals, which differs in nothing else */
    FORMAT_OLD = 1,    /* of before there was a column unanswered */
    DECIMALS = 16,     /* and the digits after the point */
    DIGITS_MAX = 6,
    CHECK_BYTES = 8,
    FILTER_BITS_A_ROW = 10,
    FILTER_PROBES = 7,
};

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int observation_compare(const struct observation *a, const struct observation *b)
{
    int order = compare_numbers(a->entity_id, b->entity_id);

    if (order == 0)
        order = ip_compare(&a->ip, &b->ip);
    return order != 0 ? order : compare_numbers(a->first_ms, b->first_ms);
}

/* ---- writing ---- */

/* What a row takes at most: numbers, an address, four runs of one, two scores. */
enum { ROW_BYTES_MAX = 5 * VARINT_BYTES_MAX + 17 + 8 * VARINT_BYTES_MAX + 16, HEAD_BYTES_MAX = 64 };

static uint8_t *put_entities(uint8_t *to, const struct observation *const *rows, size_t count)
{
    to = put(to, (uint64_t)rows[0]->entity_id);
    for (size_t i = 1; i < count; i++)
        to = put(to, (uint64_t)(rows[i]->entity_id - rows[i - 1]->entity_id));
    return to;
}

static uint8_t *put_address(uint8_t *to, const struct observation *row,
                            const struct observation *before)
{
    bool follows = before != NULL && before->entity_id == row->entity_id && ip_is_v4(&before->ip);

    if (ip_is_v4(&row->ip))
        return put(to, (uint64_t)(ip_v4(&row->ip) - (follows ? ip_v4(&before->ip) : 0)) << 1);
    to = put(to, 1);
    (void)memcpy(to, row->ip.bytes, sizeof row->ip.bytes);
    return to + sizeof row->ip.bytes;
}

static uint64_t id_at(const struct observation *row, size_t offset)
{
    int64_t id;

    (void)memcpy(&id, (const char *)row + offset, sizeof id);
    return id == FIELD_NULL_INT ? 0 : (uint64_t)id + 1;
}

static uint8_t *put_runs(uint8_t *to, const struct observation *const *rows, size_t count,
                         size_t offset)
{
    size_t end;

    for (size_t i = 0; i < count; i = end) {
        uint64_t id = id_at(rows[i], offset);

        for (end = i + 1; end < count && id_at(rows[end], offset) == id;)
            end++;
        to = put(put(to, id), end - i);
    }
    return to;
}

static uint8_t *put_times(uint8_t *to, const struct observation *const *rows, size_t count)
{
    int64_t first = rows[0]->first_ms;

    for (size_t i = 1; i < count; i++)
        if (rows[i]->first_ms < first)
            first = rows[i]->first_ms;
    to = put(to, zigzag(first));
    for (size_t i = 0; i < count; i++)
        to = put(to, (uint64_t)(rows[i]->first_ms - first));
    for (size_t i = 0; i < count; i++)
        to = put(to, zigzag(rows[i]->last_ms - rows[i]->first_ms));
    return to;
}

static double real_at(const struct observation *row, size_t offset)
{
    double value;

    (void)memcpy(&value, (const char *)row + offset, sizeof value);
    return value;
}

static bool is_short(double value)
{
    return isnan(value) || (double)(float)value == value;
}

static uint8_t *put_real(uint8_t *to, double value, bool is_narrow)
{
    float narrow = (float)value;
    uint64_t bits;
    uint32_t narrow_bits;

    (void)memcpy(&bits, &value, sizeof bits);
    if (!is_narrow)
        return put_long(to, bits);
    (void)memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
    narrow_bits = htole32(narrow_bits);
    (void)memcpy(to, &narrow_bits, sizeof narrow_bits);
    return to + sizeof narrow_bits;
}

/* Scores that came as text are decimals, which take half the bytes of what they are read as. */
static const double POWERS[DIGITS_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
#define DECIMAL_MAX ((double)(1 << 30))

/* Whether value is exactly *ret of so many digits after the point. Not a number is 0. */
static bool is_decimal(double value, int digits, uint64_t *ret)
{
    double scaled = value * POWERS[digits], back;
    int64_t whole;

    *ret = 0;
    if (isnan(value))
        return true;
    if (!(fabs(scaled) < DECIMAL_MAX))
        return false;
    whole = llrint(scaled);
    back = (double)whole / POWERS[digits];
    *ret = zigzag(whole) + 1;
    return back == value && (whole != 0 || !signbit(value)); /* -0 is none */
}

/* As many as any of them needs; DIGITS_MAX + 1: some are not decimals. */
static int digits_of(const struct observation *const *rows, size_t count, size_t offset)
{
    int digits = 0;
    uint64_t unused;

    for (size_t i = 0; i < count && digits <= DIGITS_MAX; i++)
        while (digits <= DIGITS_MAX && !is_decimal(real_at(rows[i], offset), digits, &unused))
            digits++;
    return digits;
}

/* NULL: one is too large to have as many digits as another one needs. */
static uint8_t *put_decimals(uint8_t *to, const struct observation *const *rows, size_t count,
                             size_t offset, int digits)
{
    to = put(to, (uint64_t)(DECIMALS + digits));
    for (size_t i = 0; i < count; i++) {
        uint64_t number;

        if (!is_decimal(real_at(rows[i], offset), digits, &number))
            return NULL;
        to = put(to, number);
    }
    return to;
}

static uint8_t *put_reals(uint8_t *to, const struct observation *const *rows, size_t count,
                          size_t offset)
{
    int digits = digits_of(rows, count, offset);
    uint8_t *end = digits <= DIGITS_MAX ? put_decimals(to, rows, count, offset, digits) : NULL;
    bool narrow = true;

    if (end != NULL)
        return end;
    for (size_t i = 0; i < count && narrow; i++)
        narrow = is_short(real_at(rows[i], offset));
    to = put(to, narrow ? 4 : 8);
    for (size_t i = 0; i < count; i++)
        to = put_real(to, real_at(rows[i], offset), narrow);
    return to;
}

void chunk_encode(const struct observation *const *rows, size_t count, struct str *ret)
{
    uint8_t *start, *to;

    ASSERT(count > 0 && count <= CHUNK_ROWS_MAX);
    start = to = (uint8_t *)str_room(ret, HEAD_BYTES_MAX + count * ROW_BYTES_MAX);
    if (start == NULL)
        return;
    to = put(put(to, FORMAT), count);
    to = put_entities(to, rows, count);
    for (size_t i = 0; i < count; i++)
        to = put_address(to, rows[i], i > 0 ? rows[i - 1] : NULL);
    to = put_runs(to, rows, count, offsetof(struct observation, spec_id));
    to = put_runs(to, rows, count, offsetof(struct observation, model_id));
    to = put_runs(to, rows, count, offsetof(struct observation, object_id));
    to = put_runs(to, rows, count, offsetof(struct observation, unanswered));
    to = put_times(to, rows, count);
    for (size_t i = 0; i < count; i++)
        to = put(to, rows[i]->count);
    to = put_reals(to, rows, count, offsetof(struct observation, score));
    to = put_reals(to, rows, count, offsetof(struct observation, percentile));
    to = put_long(to, hash_bytes(start, (size_t)(to - start), 0));
    str_wrote(ret, (size_t)(to - start));
}

/* ---- reading ---- */

static void take_address(struct reader *r, const struct observation *before,
                         struct observation *row)
{
    bool follows = before != NULL && before->entity_id == row->entity_id && ip_is_v4(&before->ip);
    uint64_t value = take(r);

    if ((value & 1) == 0) {
        row->ip = ip_from_v4((uint32_t)(value >> 1) + (follows ? ip_v4(&before->ip) : 0));
        return;
    }
    if (r->end - r->at < (ptrdiff_t)sizeof row->ip.bytes) {
        r->broken = true;
        return;
    }
    (void)memcpy(row->ip.bytes, r->at, sizeof row->ip.bytes);
    r->at += sizeof row->ip.bytes;
}

static void take_runs(struct reader *r, size_t offset, struct observation *rows, size_t count)
{
    for (size_t i = 0; i < count && !r->broken;) {
        uint64_t stored = take(r), run = take(r);
        int64_t id = stored == 0 ? FIELD_NULL_INT : (int64_t)(stored - 1);

        if (run == 0 || run > count - i)
            r->broken = true;
        for (; run > 0 && !r->broken; run--, i++)
            (void)memcpy((char *)&rows[i] + offset, &id, sizeof id);
    }
}

static double decimal_of(struct reader *r, uint64_t digits)
{
    uint64_t number = take(r);
    int64_t whole = (int64_t)((number - 1) >> 1 ^ (((number - 1) & 1) != 0 ? UINT64_MAX : 0));

    return number == 0 ? NAN : (double)whole / POWERS[digits];
}

static double real_of(struct reader *r, uint64_t bytes)
{
    uint64_t bits = take_bits(r, (int)bytes);
    uint32_t narrow_bits = (uint32_t)bits;
    double value;
    float narrow;

    (void)memcpy(&value, &bits, sizeof value);
    (void)memcpy(&narrow, &narrow_bits, sizeof narrow);
    return bytes == 4 ? (double)narrow : value;
}

static void take_reals(struct reader *r, uint64_t format, size_t offset, struct observation *rows,
                       size_t count)
{
    uint64_t kind = take(r), digits = kind - DECIMALS;
    bool decimal = format == FORMAT && digits <= DIGITS_MAX;

    r->broken |= kind != 4 && kind != 8 && !decimal;
    for (size_t i = 0; i < count && !r->broken; i++) {
        double value = decimal ? decimal_of(r, digits) : real_of(r, kind);

        (void)memcpy((char *)&rows[i] + offset, &value, sizeof value);
    }
}

static void take_columns(struct reader *r, uint64_t format, struct observation *rows, size_t count)
{
    int64_t first;

    for (size_t i = 0; i < count; i++)
        rows[i].entity_id = sum_of(i > 0 ? rows[i - 1].entity_id : 0, take(r));
    for (size_t i = 0; i < count; i++)
        take_address(r, i > 0 ? &rows[i - 1] : NULL, &rows[i]);
    take_runs(r, offsetof(struct observation, spec_id), rows, count);
    take_runs(r, offsetof(struct observation, model_id), rows, count);
    take_runs(r, offsetof(struct observation, object_id), rows, count);
    if (format != FORMAT_OLD)
        take_runs(r, offsetof(struct observation, unanswered), rows, count);
    for (size_t i = 0; i < count; i++)
        r->broken |= rows[i].unanswered != 0 && rows[i].unanswered != 1;
    first = take_signed(r);
    for (size_t i = 0; i < count; i++)
        rows[i].first_ms = sum_of(first, take(r));
    for (size_t i = 0; i < count; i++)
        rows[i].last_ms = sum_of(rows[i].first_ms, (uint64_t)take_signed(r));
    for (size_t i = 0; i < count; i++)
        rows[i].count = take(r);
    take_reals(r, format, offsetof(struct observation, score), rows, count);
    take_reals(r, format, offsetof(struct observation, percentile), rows, count);
}

enum err_code chunk_decode(const void *bytes, size_t length, struct arena *arena,
                           struct observation **ret, size_t *ret_count, struct err *err)
{
    struct reader r = {.at = bytes, .end = (const uint8_t *)bytes + length};
    struct reader check = {0};
    uint64_t format, count;

    if (length <= CHECK_BYTES)
        return err_set(err, ERR_CORRUPT, "a chunk of observations has %zu bytes", length);
    r.end -= CHECK_BYTES;
    check = (struct reader){.at = r.end, .end = r.end + CHECK_BYTES};
    if (take_bits(&check, CHECK_BYTES) != hash_bytes(bytes, length - CHECK_BYTES, 0))
        return err_set(err, ERR_CORRUPT, "a chunk of observations was altered");
    format = take(&r);
    r.broken = format == 0 || format > FORMAT;
    count = take(&r);
    if (r.broken || count == 0 || count > CHUNK_ROWS_MAX)
        return err_set(err, ERR_CORRUPT, "a chunk of observations is of no known format");
    *ret = ARENA_ARRAY(arena, struct observation, count);
    *ret_count = count;
    take_columns(&r, format, *ret, count);
    if (r.broken || r.at != r.end)
        return err_set(err, ERR_CORRUPT, "a chunk of observations contradicts itself");
    return ERR_NONE;
}

/* ---- filters ---- */

/* Double hashing (Kirsch and Mitzenmacher 2006): one hash gives all the probes. */
struct probe {
    uint64_t at, step;
};

static struct probe probe_of(int64_t entity_id, const struct ip *ip)
{
    uint64_t hash = hash_bytes(ip->bytes, sizeof ip->bytes, (uint64_t)entity_id);

    return (struct probe){.at = hash, .step = hash_mix(hash) | 1};
}

/* A power of two, which divides without dividing. */
static size_t filter_length(size_t count)
{
    size_t length = 1;

    while (length * 8 < count * FILTER_BITS_A_ROW)
        length *= 2;
    return length;
}

uint8_t *chunk_filter(struct arena *arena, const struct observation *const *rows, size_t count,
                      size_t *ret_length)
{
    size_t length = filter_length(count);
    uint8_t *filter = ARENA_ARRAY(arena, uint8_t, length);

    ASSERT(length <= CHUNK_FILTER_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct probe probe = probe_of(rows[i]->entity_id, &rows[i]->ip);

        for (int n = 0; n < FILTER_PROBES; n++, probe.at += probe.step) {
            uint64_t bit = probe.at & (length * 8 - 1);

            filter[bit / 8] |= (uint8_t)(1u << (bit % 8));
        }
    }
    *ret_length = length;
    return filter;
}

bool chunk_may_hold(const void *filter, size_t length, int64_t entity_id, const struct ip *ip)
{
    const uint8_t *bytes = filter;
    struct probe probe = probe_of(entity_id, ip);

    if (length == 0)
        return true;
    for (int n = 0; n < FILTER_PROBES; n++, probe.at += probe.step) {
        uint64_t bit = probe.at % (length * 8);

        if ((bytes[bit / 8] & (1u << (bit % 8))) == 0)
            return false;
    }
    return true;
}
