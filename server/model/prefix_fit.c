#include "model/prefix_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

enum { RADIX_BITS = 8, RADIX = 1 << RADIX_BITS, KEY_DIGITS = 8, ENTITY_DIGITS = 4 };
static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

struct prefix_event prefix_event(uint32_t entity, const struct ip *ip, uint16_t day)
{
    struct prefix_event event = {.entity = entity, .day = day};
    int length;

    event.key = prefix_key(ip, &length);
    event.family = length == PREFIX_BITS_V6;
    return event;
}

uint16_t prefix_day(int64_t time_ms)
{
    int64_t day = time_ms / DAY_MS;

    return day < 0 ? 0 : day > UINT16_MAX ? UINT16_MAX : (uint16_t)day;
}

static unsigned digit_of(const struct prefix_event *event, bool by_key, int digit)
{
    uint64_t value = by_key ? event->key : event->entity;

    return (unsigned)(value >> (digit * RADIX_BITS)) & (RADIX - 1);
}

/* Stable, by one digit after the other; a digit that all have in common costs one reading. */
static void radix_sort(struct prefix_event **events, struct prefix_event **scratch, size_t count,
                       bool by_key)
{
    for (int digit = 0; digit < (by_key ? KEY_DIGITS : ENTITY_DIGITS); digit++) {
        size_t places[RADIX] = {0}, place = 0;
        struct prefix_event *swap = *events;

        for (size_t i = 0; i < count; i++)
            places[digit_of(&(*events)[i], by_key, digit)]++;
        if (count > 0 && places[digit_of(&(*events)[0], by_key, digit)] == count)
            continue;
        for (int i = 0; i < RADIX; i++) {
            size_t here = places[i];

            places[i] = place;
            place += here;
        }
        for (size_t i = 0; i < count; i++)
            (*scratch)[places[digit_of(&(*events)[i], by_key, digit)]++] = (*events)[i];
        *events = *scratch;
        *scratch = swap;
    }
}

static int by_day_down(const void *a, const void *b)
{
    const struct prefix_event *x = a, *y = b;

    if (x->day != y->day)
        return x->day > y->day ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

static int by_key(const void *a, const void *b)
{
    const struct prefix_event *x = a, *y = b;

    return (x->key > y->key) - (x->key < y->key);
}

/* Of events by entity and address leaves one per address, of the latest day, and of each entity no
 * more than are kept. */
static size_t distinct(struct prefix_event *events, size_t count)
{
    size_t used = 0;

    for (size_t i = 0; i < count;) {
        uint32_t entity = events[i].entity;
        size_t first = used;

        for (; i < count && events[i].entity == entity; i++) {
            if (used == first || events[used - 1].key != events[i].key)
                events[used++] = events[i];
            else if (events[used - 1].day < events[i].day)
                events[used - 1].day = events[i].day;
        }
        if (used - first <= PREFIX_ENTITY_ADDRESSES_MAX)
            continue;
        qsort(events + first, used - first, sizeof *events, by_day_down);
        used = first + PREFIX_ENTITY_ADDRESSES_MAX;
        qsort(events + first, used - first, sizeof *events, by_key);
    }
    return used;
}

/* What its day makes of an address; 0 = forgotten. */
static double weight_of(uint16_t day, uint16_t today, double half_life_days)
{
    double half_lives = today > day ? (double)(today - day) / half_life_days : 0;

    return half_lives > PREFIX_HALF_LIVES_MAX ? 0 : exp2(-half_lives);
}

/* Events of one family that are not forgotten. */
static size_t select_family(const struct prefix_event *events, size_t count, int family,
                            uint16_t today, double half_life_days, struct prefix_event *ret)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        if (events[i].family == family && weight_of(events[i].day, today, half_life_days) > 0)
            ret[used++] = events[i];
    return used;
}

static void fill(const struct prefix_event *events, size_t count, uint64_t entity_count,
                 uint16_t today, double half_life_days, int f, struct prefix_arrays *arrays)
{
    uint64_t *starts = own_array(entity_count + 1, sizeof *starts);
    uint64_t *keys = own_array(count + 1, sizeof *keys);
    float *weights = own_array(count + 1, sizeof *weights);
    uint16_t *days = own_array(count + 1, sizeof *days);
    size_t i = 0;

    for (uint64_t entity = 0; entity < entity_count; entity++) {
        double sum = 0;

        for (; i < count && events[i].entity == entity; i++) {
            sum += weight_of(events[i].day, today, half_life_days);
            keys[i] = events[i].key;
            days[i] = events[i].day;
            weights[i] = (float)sum;
        }
        starts[entity + 1] = i;
    }
    arrays->starts[f] = starts;
    arrays->keys[f] = keys;
    arrays->weights[f] = weights;
    arrays->days[f] = days;
}

static void fill_all(const struct prefix_event *events, size_t count, int f,
                     struct prefix_arrays *arrays)
{
    arrays->all_keys[f] = own_array(count + 1, sizeof(uint64_t));
    arrays->all_entities[f] = own_array(count + 1, sizeof(uint32_t));
    for (size_t i = 0; i < count; i++) {
        arrays->all_keys[f][i] = events[i].key;
        arrays->all_entities[f][i] = events[i].entity;
    }
}

void prefix_fit(const struct prefix_event *events, size_t count, uint64_t entity_count,
                uint16_t today, double half_life_days, struct prefix_tree *ret,
                struct prefix_arrays *arrays)
{
    AUTO(own_freep) struct prefix_event *first = own_array(count + 1, sizeof *first);
    AUTO(own_freep) struct prefix_event *second = own_array(count + 1, sizeof *second);

    *ret = (struct prefix_tree){.entity_count = entity_count};
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        size_t kept = select_family(events, count, f, today, half_life_days, first);

        radix_sort(&first, &second, kept, true);
        radix_sort(&first, &second, kept, false);
        kept = distinct(first, kept);
        fill(first, kept, entity_count, today, half_life_days, f, arrays);
        radix_sort(&first, &second, kept, true);
        fill_all(first, kept, f, arrays);
        ret->families[f] = (struct prefix_family){
            .starts = arrays->starts[f],
            .keys = arrays->keys[f],
            .weights = arrays->weights[f],
            .days = arrays->days[f],
            .count = kept,
            .all_keys = arrays->all_keys[f],
            .all_entities = arrays->all_entities[f],
        };
    }
    prefix_tree_index(ret);
}

void prefix_arrays_done(struct prefix_arrays *arrays)
{
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        own_freep(&arrays->starts[f]);
        own_freep(&arrays->keys[f]);
        own_freep(&arrays->all_keys[f]);
        own_freep(&arrays->weights[f]);
        own_freep(&arrays->days[f]);
        own_freep(&arrays->all_entities[f]);
    }
}
