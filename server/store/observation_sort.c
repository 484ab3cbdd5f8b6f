/* By a number that is in the order of entities and addresses, as far as 64 bits tell; the few that
 * it does not tell apart are compared. */
#include "store/chunk.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/radix.h"
#include "store/pair_code.h"

#define ENTITY_KEY_MAX ((UINT64_C(1) << 30) - 1)

/* Never in another order than ip_compare: half of the numbers for IPv4, half for what is above. */
static uint32_t rank_of(const struct ip *ip)
{
    static const struct ip FIRST_V4 = {.bytes = {[10] = 0xff, [11] = 0xff}};
    const uint8_t *b = ip->bytes;

    if (ip_is_v4(ip))
        return ip_v4(ip) >> 1;
    if (ip_compare(ip, &FIRST_V4) < 0)
        return 0;
    return UINT32_C(1) << 31 |
           ((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]) >> 1;
}

static uint64_t key_of(const struct observation *row)
{
    uint64_t entity = (uint64_t)row->entity_id;

    return (entity < UINT32_MAX ? entity : UINT32_MAX) << 32 | rank_of(&row->ip);
}

static uint64_t day_of(const struct observation *row)
{
    return (uint64_t)(row->last_ms / DAY_MS);
}

static int by_observation(const void *a_, const void *b_)
{
    return observation_compare(*(const struct observation *const *)a_,
                               *(const struct observation *const *)b_);
}

/* items: as rows, with their numbers. Those that the number does not tell apart; by_day: of one
 * day. */
static void compare_equals(struct observation **rows, const struct radix_item *items, size_t count,
                           bool by_day)
{
    size_t end;

    for (size_t i = 0; i < count; i = end) {
        for (end = i + 1; end < count && items[end].key == items[i].key &&
                          (!by_day || day_of(rows[end]) == day_of(rows[i]));)
            end++;
        if (end - i > 1)
            qsort(rows + i, end - i, sizeof(struct observation *), by_observation);
    }
}

static bool is_one_day(struct observation *const *rows, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (day_of(rows[i]) != day_of(rows[0]))
            return false;
    return true;
}

/* Of what is sorted already: leaves those of a day as they are. */
static void sort_days(struct observation *const *rows, struct radix_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items[i].key = day_of(rows[items[i].index]);
    radix_sort(items, items + count, count);
    for (size_t i = 0; i < count; i++)
        items[i].key = key_of(rows[items[i].index]);
}

static void sort(struct observation **rows, size_t count, bool by_day)
{
    AUTO(own_freep) struct radix_item *items = own_array(2 * count + 1, sizeof *items);
    AUTO(own_freep) struct observation **copy = own_array(count + 1, sizeof(struct observation *));

    ASSERT(count <= UINT32_MAX);
    by_day = by_day && !is_one_day(rows, count);
    for (size_t i = 0; i < count; i++) {
        copy[i] = rows[i];
        items[i] = (struct radix_item){key_of(rows[i]), (uint32_t)i};
    }
    radix_sort(items, items + count, count);
    if (by_day)
        sort_days(copy, items, count);
    for (size_t i = 0; i < count; i++)
        rows[i] = copy[items[i].index];
    compare_equals(rows, items, count, by_day);
}

void observation_sort(struct observation **rows, size_t count)
{
    sort(rows, count, true);
}

void observation_sort_pairs(struct observation **rows, size_t count)
{
    sort(rows, count, false);
}

/* ---- by address ---- */

/* Never in another order than pair_compare's by address: what is below IPv4, IPv4, what is above;
 * as much of the address as there is room for, and of IPv4 the lower part of the entity. */
static uint64_t address_key(const struct observation *row)
{
    static const struct ip FIRST_V4 = {.bytes = {[10] = 0xff, [11] = 0xff}};
    uint64_t entity = row->entity_id > 0 ? (uint64_t)row->entity_id : 0, high = 0;

    if (ip_is_v4(&row->ip))
        return UINT64_C(1) << 62 | (uint64_t)ip_v4(&row->ip) << 30 |
               (entity < ENTITY_KEY_MAX ? entity : ENTITY_KEY_MAX);
    if (ip_compare(&row->ip, &FIRST_V4) < 0)
        return 0;
    for (size_t i = 0; i < sizeof high; i++)
        high = high << 8 | row->ip.bytes[i];
    return UINT64_C(2) << 62 | high >> 2;
}

static int by_address(const void *a_, const void *b_)
{
    const struct observation *a = *(const struct observation *const *)a_,
                             *b = *(const struct observation *const *)b_;
    int order = pair_compare(PAIRS_BY_ADDRESS, a, b);

    return order != 0 ? order : (a->first_ms > b->first_ms) - (a->first_ms < b->first_ms);
}

void observation_sort_addresses(struct observation **rows, size_t count)
{
    AUTO(own_freep) struct radix_item *items = own_array(2 * count + 1, sizeof *items);
    AUTO(own_freep) struct observation **copy = own_array(count + 1, sizeof(struct observation *));
    size_t end;

    ASSERT(count <= UINT32_MAX);
    for (size_t i = 0; i < count; i++) {
        copy[i] = rows[i];
        items[i] = (struct radix_item){address_key(rows[i]), (uint32_t)i};
    }
    radix_sort(items, items + count, count);
    for (size_t i = 0; i < count; i++)
        rows[i] = copy[items[i].index];
    for (size_t i = 0; i < count; i = end) { /* those that the number does not tell apart */
        for (end = i + 1; end < count && items[end].key == items[i].key;)
            end++;
        if (end - i > 1)
            qsort(rows + i, end - i, sizeof(struct observation *), by_address);
    }
}
