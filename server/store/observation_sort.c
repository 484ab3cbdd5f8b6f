/* By a number that is in the order of entities and addresses, as far as 64 bits tell; the few that
 * it does not tell apart are compared. */
#include "store/chunk.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/radix.h"

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
