#include "store/pair_code.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/str.h"
#include "store/varint.h"

enum {
    FORMAT = 1,
    CHECK_BYTES = 8,
    PAIR_BYTES_MAX = 8 * VARINT_BYTES_MAX + 17,
    DAY_BYTES_MAX = 3 * VARINT_BYTES_MAX + 17,
    HEAD_BYTES_MAX = 128,
    THOUSANDTHS = 1000,
};

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int pair_compare(enum pair_order order, const struct observation *a, const struct observation *b)
{
    int by_entity = compare_numbers(a->entity_id, b->entity_id);

    if (order == PAIRS_BY_ENTITY && by_entity != 0)
        return by_entity;
    if (!ip_equal(&a->ip, &b->ip))
        return ip_compare(&a->ip, &b->ip);
    return by_entity;
}

/* ---- writing ---- */

/* before: NULL for the first. */
static uint8_t *put_address(uint8_t *to, const struct ip *ip, const struct ip *before)
{
    bool follows = before != NULL && ip_is_v4(before);

    if (ip_is_v4(ip))
        return put(to, (uint64_t)(ip_v4(ip) - (follows ? ip_v4(before) : 0)) << 1);
    to = put(to, 1);
    (void)memcpy(to, ip->bytes, sizeof ip->bytes);
    return to + sizeof ip->bytes;
}

static uint8_t *put_specs(uint8_t *to, const struct observation *const *rows, size_t count)
{
    size_t end;

    for (size_t i = 0; i < count; i = end) {
        for (end = i + 1; end < count && rows[end]->spec_id == rows[i]->spec_id;)
            end++;
        to = put(put(to, (uint64_t)rows[i]->spec_id), end - i);
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

static uint64_t thousandths(double percentile)
{
    if (isnan(percentile))
        return 0;
    return (uint64_t)llrint(fmin(fmax(percentile, 0), 100) * THOUSANDTHS) + 1;
}

static uint8_t *put_by_address(uint8_t *to, const struct observation *const *rows, size_t count)
{
    int64_t entity = 0;

    for (size_t i = 0; i < count; i++)
        to = put_address(to, &rows[i]->ip, i > 0 ? &rows[i - 1]->ip : NULL);
    for (size_t i = 0; i < count; i++) {
        to = put(to, zigzag(rows[i]->entity_id - entity));
        entity = rows[i]->entity_id;
    }
    to = put_specs(to, rows, count);
    for (size_t i = 0; i < count; i++)
        to = put(to, (uint64_t)rows[i]->object_id);
    for (size_t i = 0; i < count; i++)
        to = put(to, rows[i]->count);
    to = put_times(to, rows, count);
    for (size_t i = 0; i < count; i++)
        to = put(to, thousandths(rows[i]->percentile));
    return to;
}

static uint8_t *put_day_address(uint8_t *to, const struct ip *ip, uint32_t *before)
{
    int64_t difference;

    if (!ip_is_v4(ip)) {
        to = put(to, 1);
        (void)memcpy(to, ip->bytes, sizeof ip->bytes);
        return to + sizeof ip->bytes;
    }
    difference = (int64_t)ip_v4(ip) - (int64_t)*before;
    *before = ip_v4(ip);
    return put(to, zigzag(difference) << 1);
}

static uint8_t *put_days(uint8_t *to, const struct observation *const *rows, size_t count)
{
    int64_t entity = 0, day = 0;
    uint32_t address = 0;

    for (size_t i = 0; i < count; i++) {
        to = put(to, zigzag(rows[i]->entity_id - entity));
        to = put_day_address(to, &rows[i]->ip, &address);
        to = put(to, zigzag(pair_day_of(rows[i]->last_ms) - day));
        to = put(to, rows[i]->count);
        entity = rows[i]->entity_id;
        day = pair_day_of(rows[i]->last_ms);
    }
    return to;
}

/* Pairs first, then days, each in their order. */
static size_t part(const struct observation *const *rows, size_t count,
                   const struct observation **ret)
{
    size_t pairs = 0, days;

    for (size_t i = 0; i < count; i++)
        if (rows[i]->spec_id != PAIR_DAY)
            ret[pairs++] = rows[i];
    days = pairs;
    for (size_t i = 0; i < count; i++)
        if (rows[i]->spec_id == PAIR_DAY)
            ret[days++] = rows[i];
    return pairs;
}

void pair_encode(enum pair_order order, const struct observation *const *rows, size_t count,
                 struct str *ret)
{
    AUTO(own_freep) const struct observation **parts = own_array(count, sizeof *parts);
    AUTO(own_freep) uint8_t *days = NULL;
    size_t pairs = part(rows, count, parts), day_count = count - pairs, day_bytes;
    uint8_t *start, *to;

    ASSERT(count > 0 && count <= CHUNK_ROWS_MAX);
    days = own_array(day_count * DAY_BYTES_MAX + 1, 1);
    day_bytes = (size_t)(put_days(days, parts + pairs, day_count) - days);
    start = to = (uint8_t *)str_room(ret, HEAD_BYTES_MAX + day_bytes + pairs * PAIR_BYTES_MAX);
    if (start == NULL)
        return;
    to = put(put(put(put(put(to, FORMAT), order), pairs), day_count), day_bytes);
    (void)memcpy(to, days, day_bytes);
    to += day_bytes;
    if (pairs > 0 && order == PAIRS_BY_ADDRESS)
        to = put_by_address(to, parts, pairs);
    to = put_long(to, hash_bytes(start, (size_t)(to - start), 0));
    str_wrote(ret, (size_t)(to - start));
    if (pairs > 0 && order == PAIRS_BY_ENTITY)
        chunk_encode(parts, pairs, ret);
}

/* ---- reading ---- */

static void take_whole_address(struct reader *r, struct ip *ret)
{
    if (r->end - r->at < (ptrdiff_t)sizeof ret->bytes) {
        r->broken = true;
        return;
    }
    (void)memcpy(ret->bytes, r->at, sizeof ret->bytes);
    r->at += sizeof ret->bytes;
}

/* before: the IPv4 address of the row before, or 0. */
static void take_address(struct reader *r, uint32_t before, struct ip *ret)
{
    uint64_t value = take(r);

    if ((value & 1) == 0) {
        *ret = ip_from_v4((uint32_t)(value >> 1) + before);
        return;
    }
    take_whole_address(r, ret);
}

static void take_specs(struct reader *r, struct observation *rows, size_t count)
{
    for (size_t i = 0; i < count && !r->broken;) {
        int64_t spec_id = (int64_t)take(r);
        uint64_t run = take(r);

        r->broken |= run == 0 || run > count - i || spec_id == PAIR_DAY;
        for (; run > 0 && !r->broken; run--)
            rows[i++].spec_id = spec_id;
    }
}

static void take_by_address(struct reader *r, struct observation *rows, size_t count)
{
    uint32_t before = 0;
    int64_t first;

    for (size_t i = 0; i < count; i++) {
        take_address(r, before, &rows[i].ip);
        before = ip_is_v4(&rows[i].ip) ? ip_v4(&rows[i].ip) : 0;
    }
    for (size_t i = 0; i < count; i++)
        rows[i].entity_id = sum_of(i > 0 ? rows[i - 1].entity_id : 0, (uint64_t)take_signed(r));
    take_specs(r, rows, count);
    for (size_t i = 0; i < count; i++)
        rows[i].object_id = (int64_t)take(r);
    for (size_t i = 0; i < count; i++)
        rows[i].count = take(r);
    first = take_signed(r);
    for (size_t i = 0; i < count; i++)
        rows[i].first_ms = sum_of(first, take(r));
    for (size_t i = 0; i < count; i++)
        rows[i].last_ms = sum_of(rows[i].first_ms, (uint64_t)take_signed(r));
    for (size_t i = 0; i < count; i++) {
        uint64_t number = take(r);

        rows[i].score = NAN;
        rows[i].percentile = number > 0 ? (double)(number - 1) / THOUSANDTHS : NAN;
    }
}

static void take_day_address(struct reader *r, uint32_t *before, struct ip *ret)
{
    uint64_t value = take(r);

    if ((value & 1) == 0) {
        value >>= 1;
        *before += (uint32_t)(value >> 1 ^ ((value & 1) != 0 ? UINT64_MAX : 0));
        *ret = ip_from_v4(*before);
        return;
    }
    take_whole_address(r, ret);
}

static void take_days(struct reader *r, struct observation *rows, size_t count)
{
    int64_t entity = 0, day = 0;
    uint32_t address = 0;

    for (size_t i = 0; i < count && !r->broken; i++) {
        entity = sum_of(entity, (uint64_t)take_signed(r));
        take_day_address(r, &address, &rows[i].ip);
        day = sum_of(day, (uint64_t)take_signed(r));
        r->broken |= day < 0 || day > UINT32_MAX;
        rows[i].entity_id = entity;
        rows[i].spec_id = PAIR_DAY;
        rows[i].first_ms = rows[i].last_ms = (int64_t)((uint64_t)day * DAY_MS);
        rows[i].count = take(r);
        rows[i].score = rows[i].percentile = NAN;
    }
}

/* What every chunk begins with. */
struct head {
    uint64_t pairs, days, day_bytes;
};

static enum err_code read_head(enum pair_order order, struct reader *r, struct head *ret,
                               struct err *err)
{
    uint64_t format = take(r), order_of = take(r);

    *ret = (struct head){take(r), 0, 0};
    ret->days = take(r);
    ret->day_bytes = take(r);
    if (r->broken || format != FORMAT || order_of != order || ret->pairs > CHUNK_ROWS_MAX ||
        ret->days > CHUNK_ROWS_MAX || ret->pairs + ret->days == 0 ||
        ret->day_bytes > (uint64_t)(r->end - r->at))
        return err_set(err, ERR_CORRUPT, "a chunk of pairs is of no known format");
    return ERR_NONE;
}

/* Ends r where the hash is, which is right. */
static enum err_code check_hash(const void *bytes, const uint8_t *end, struct reader *r,
                                struct err *err)
{
    size_t length = (size_t)(end - (const uint8_t *)bytes);
    struct reader check = {.at = end, .end = r->end};

    if (take_bits(&check, CHECK_BYTES) != hash_bytes(bytes, length, 0) || check.broken)
        return err_set(err, ERR_CORRUPT, "a chunk of pairs was altered");
    r->end = end;
    return ERR_NONE;
}

/* By entity they are a chunk of observations, which is checked by itself. */
static enum err_code read_pairs(enum pair_order order, struct reader *r, struct reader *rest,
                                size_t count, struct arena *arena, struct observation **ret,
                                struct err *err)
{
    size_t found;

    if (count == 0)
        return ERR_NONE;
    if (order == PAIRS_BY_ADDRESS) {
        *ret = ARENA_ARRAY(arena, struct observation, count);
        take_by_address(r, *ret, count);
        return ERR_NONE;
    }
    TRY(chunk_decode(rest->at, (size_t)(rest->end - rest->at), arena, ret, &found, err));
    rest->at = rest->end;
    rest->broken = found != count;
    return ERR_NONE;
}

enum err_code pair_decode(enum pair_order order, const void *bytes, size_t length, bool days,
                          struct arena *arena, struct pair_rows *ret, struct err *err)
{
    struct reader r = {.at = bytes, .end = (const uint8_t *)bytes + length}, of_days, rest;
    const uint8_t *end;
    struct head head;

    TRY(read_head(order, &r, &head, err));
    end = order == PAIRS_BY_ENTITY ? r.at + head.day_bytes : r.end - CHECK_BYTES;
    if (end < r.at + head.day_bytes || r.end - end < CHECK_BYTES)
        return err_set(err, ERR_CORRUPT, "a chunk of pairs has %zu bytes", length);
    rest = (struct reader){.at = end + CHECK_BYTES, .end = r.end};
    TRY(check_hash(bytes, end, &r, err));
    of_days = (struct reader){.at = r.at, .end = r.at + head.day_bytes};
    r.at = of_days.end;
    *ret = (struct pair_rows){.pair_count = head.pairs, .day_count = days ? head.days : 0};
    TRY(read_pairs(order, &r, &rest, head.pairs, arena, &ret->pairs, err));
    if (ret->day_count > 0) {
        ret->days = ARENA_ARRAY(arena, struct observation, ret->day_count);
        take_days(&of_days, ret->days, ret->day_count);
        of_days.broken |= of_days.at != of_days.end;
    }
    if (r.broken || rest.broken || of_days.broken || r.at != r.end || rest.at != rest.end)
        return err_set(err, ERR_CORRUPT, "a chunk of pairs contradicts itself");
    return ERR_NONE;
}
