/* The rows of a step of a run of pairs, put together. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "store/pair_making.h"

void pair_add_row(const struct making *making, struct rows *rows, struct observation *row)
{
    if (rows->count == rows->room) {
        size_t room = rows->room > 0 ? 2 * rows->room : making->sizes->step_rows / 4 + 64;
        struct observation **items = ARENA_ARRAY(making->arena, struct observation *, room);

        if (rows->count > 0)
            (void)memcpy(items, rows->items, rows->count * sizeof *items);
        rows->items = items;
        rows->room = room;
    }
    rows->items[rows->count++] = row;
}

static void sort(const struct making *making, struct rows *rows)
{
    if (making->order == PAIRS_BY_ENTITY)
        observation_sort_pairs(rows->items, rows->count);
    else
        observation_sort_addresses(rows->items, rows->count);
}

static bool is_through(const struct making *making, const struct observation *row,
                       const struct pair_point *point)
{
    struct observation at = {.entity_id = point->entity_id, .ip = point->ip};

    return pair_compare(making->order, row, &at) <= 0;
}

/* ---- pairs ---- */

/* The events of row on the day of its last sighting. */
static void add_day(struct making *making, const struct observation *row)
{
    struct observation *day = ARENA_NEW(making->arena, struct observation);

    *day = (struct observation){.entity_id = row->entity_id,
                                .ip = row->ip,
                                .spec_id = PAIR_DAY,
                                .first_ms = pair_day_of(row->last_ms) * DAY_MS,
                                .last_ms = pair_day_of(row->last_ms) * DAY_MS,
                                .count = row->count,
                                .score = NAN,
                                .percentile = NAN};
    pair_add_row(making, &making->days, day);
}

void pair_add_sighting(struct making *making, struct observation *row)
{
    row->object_id = 1; /* seen once */
    pair_add_row(making, &making->pairs, row);
    if (!pair_is_of_day(row))
        add_day(making, row);
}

static void join(struct making *making, struct observation *to, const struct observation *row)
{
    bool to_is = pair_is_of_day(to), row_is = pair_is_of_day(row);

    if (!to_is || !row_is || pair_day_of(to->last_ms) != pair_day_of(row->last_ms)) {
        if (to_is)
            add_day(making, to);
        if (row_is)
            add_day(making, row);
    }
    if (row->last_ms >= to->last_ms) {
        to->score = row->score;
        to->percentile = row->percentile;
        to->model_id = row->model_id;
        to->last_ms = row->last_ms;
    }
    if (row->first_ms < to->first_ms)
        to->first_ms = row->first_ms;
    to->object_id += row->object_id;
    to->count += row->count;
}

static bool same_pair(const struct observation *a, const struct observation *b)
{
    return a->entity_id == b->entity_id && ip_equal(&a->ip, &b->ip);
}

void pair_join(struct making *making, const struct pair_point *through)
{
    struct observation **rows = making->pairs.items;
    size_t used = 0, pair = 0;

    sort(making, &making->pairs);
    for (size_t i = 0; i < making->pairs.count && is_through(making, rows[i], through); i++) {
        size_t at;

        if (rows[i]->last_ms < making->since_ms)
            continue;
        if (used == 0 || !same_pair(rows[pair], rows[i]))
            pair = used;
        for (at = pair; at < used && rows[at]->spec_id != rows[i]->spec_id;)
            at++;
        if (at == used)
            rows[used++] = rows[i];
        else
            join(making, rows[at], rows[i]);
    }
    making->pairs.count = used;
}

/* ---- days ---- */

static bool same_half(const struct making *making, const struct observation *a,
                      const struct observation *b)
{
    return making->order == PAIRS_BY_ENTITY ? a->entity_id == b->entity_id
                                            : ip_equal(&a->ip, &b->ip);
}

/* The events of each day of one half: rows are its days, in the place of the last of them or of
 * behind, which comes later. */
static void sum_days(struct making *making, struct observation *const *rows, size_t count,
                     const struct observation *behind, struct rows *ret)
{
    struct observation *days[PAIR_DAYS] = {NULL};
    const struct observation *place = rows[count - 1];

    if (behind != NULL && pair_compare(making->order, behind, place) > 0)
        place = behind;
    for (size_t i = 0; i < count; i++) {
        int64_t day = pair_day_of(rows[i]->last_ms) - pair_day_of(making->days_since_ms);

        if (rows[i]->last_ms < making->days_since_ms || rows[i]->last_ms < making->since_ms ||
            day >= PAIR_DAYS)
            continue;
        if (days[day] != NULL)
            days[day]->count += rows[i]->count;
        else
            days[day] = rows[i];
    }
    for (size_t day = 0; day < PAIR_DAYS; day++) {
        if (days[day] == NULL)
            continue;
        days[day]->entity_id = place->entity_id;
        days[day]->ip = place->ip;
        pair_add_row(making, ret, days[day]);
    }
}

/* The days of the half of the first of them, which end before the pairs of another half: how many.
 */
static size_t days_of_half(const struct making *making, const struct rows *days, size_t from,
                           const struct pair_point *through)
{
    size_t end = from;

    while (end < days->count && is_through(making, days->items[end], through) &&
           same_half(making, days->items[end], days->items[from]))
        end++;
    return end - from;
}

/* Both are in order: half by half. */
void pair_join_days(struct making *making, const struct pair_point *through)
{
    struct rows pairs = making->pairs, *days = &making->days;
    size_t p = 0, d = 0, count;

    if (days->count == 0)
        return;
    sort(making, days);
    making->pairs = (struct rows){
        .items = ARENA_ARRAY(making->arena, struct observation *, pairs.count + days->count),
        .room = pairs.count + days->count};
    while ((count = days_of_half(making, days, d, through)) > 0) {
        const struct observation *half = days->items[d], *last = NULL;

        while (p < pairs.count && (same_half(making, pairs.items[p], half) ||
                                   pair_compare(making->order, pairs.items[p], half) < 0)) {
            last = same_half(making, pairs.items[p], half) ? pairs.items[p] : NULL;
            pair_add_row(making, &making->pairs, pairs.items[p++]);
        }
        sum_days(making, days->items + d, count, last, &making->pairs);
        d += count;
    }
    for (; p < pairs.count; p++)
        pair_add_row(making, &making->pairs, pairs.items[p]);
}
