#include "model/prefix_fit.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

struct prefix_event prefix_event(uint32_t entity, const struct ip *ip, uint16_t day)
{
    struct prefix_event event = {.entity = entity, .day = day};
    int length;

    event.key = prefix_key(ip, &length);
    event.family = length == PREFIX_BITS_V6;
    event.count = 1;
    return event;
}

uint16_t prefix_day(int64_t time_ms)
{
    int64_t day = time_ms / DAY_MS;

    return day < 0 ? 0 : day > PREFIX_DAY_MAX ? PREFIX_DAY_MAX : (uint16_t)day;
}

uint16_t prefix_count(uint64_t count)
{
    return count < PREFIX_COUNT_MAX ? (uint16_t)count : PREFIX_COUNT_MAX;
}

void prefix_events_init(struct prefix_events *events, struct spool_pool *pool,
                        uint64_t entity_count)
{
    spool_init(&events->spool, pool, sizeof(struct prefix_event));
    events->entity_count = entity_count;
    events->last = own_array(entity_count + 1, sizeof *events->last);
}

enum err_code prefix_events_add(struct prefix_events *events, const struct prefix_event *event,
                                struct err *err)
{
    uint16_t *last = &events->last[event->entity];

    *last = *last > event->day ? *last : event->day;
    return spool_add(&events->spool, event, err);
}

void prefix_events_done(struct prefix_events *events)
{
    spool_done(&events->spool);
    own_freep(&events->last);
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

/* What its day makes of something that ends with the last one; 0 = forgotten. */
static double weight_of(uint16_t day, uint16_t last, double half_life_days)
{
    double half_lives = last > day ? (double)(last - day) / half_life_days : 0;

    return half_lives > PREFIX_HALF_LIVES_MAX ? 0 : exp2(-half_lives);
}

/* Weights are added up in whole parts of one, for what the order of equal events must not change.
 */
static const double WEIGHT_PARTS = 1 << 20;

/* An address, and what its events weigh. */
struct use {
    struct prefix_event event; /* first, for the comparisons; the latest day, all counts */
    uint64_t parts;
};
/* Of one entity and family: what it uses, and never more than twice as many as are kept. */
struct habits {
    size_t used;
    bool pruned; /* not in the order of their keys */
    struct use uses[2 * PREFIX_ENTITY_ADDRESSES_MAX];
};

static void keep_latest(struct habits *habits)
{
    qsort(habits->uses, habits->used, sizeof *habits->uses, by_day_down);
    habits->used = PREFIX_ENTITY_ADDRESSES_MAX;
    habits->pruned = true;
}

/* Events come by key. */
static void add_habit(struct habits *habits, const struct prefix_event *event, double weight)
{
    struct use *last = habits->used > 0 ? &habits->uses[habits->used - 1] : NULL;
    uint64_t parts = (uint64_t)(weight * WEIGHT_PARTS);

    if (last == NULL || last->event.key != event->key) {
        if (habits->used == ARRAY_LEN(habits->uses))
            keep_latest(habits);
        habits->uses[habits->used++] = (struct use){*event, parts};
        return;
    }
    last->parts += parts;
    if (event->day > last->event.day)
        last->event.day = event->day;
    last->event.count = event->count > PREFIX_COUNT_MAX - last->event.count
                            ? PREFIX_COUNT_MAX
                            : (uint16_t)(last->event.count + event->count);
}

/* The arrays of a family as they grow. */
struct growth {
    struct prefix_arrays *arrays;
    int family;
    size_t used, capacity;
    double half_life_days;
    uint16_t today;
    const uint16_t *last; /* struct prefix_events has them */
    bool by_address;
    struct spool all; /* struct prefix_event, once more */
    struct habits habits;
};

static void resize(struct growth *growth, size_t capacity)
{
    struct prefix_arrays *arrays = growth->arrays;
    int f = growth->family;

    growth->capacity = capacity;
    arrays->keys[f] = own_resize(arrays->keys[f], growth->capacity, sizeof *arrays->keys[f]);
    arrays->weights[f] =
        own_resize(arrays->weights[f], growth->capacity, sizeof *arrays->weights[f]);
    arrays->days[f] = own_resize(arrays->days[f], growth->capacity, sizeof *arrays->days[f]);
}

static void make_room(struct growth *growth)
{
    if (growth->used + growth->habits.used >= growth->capacity)
        resize(growth, growth->used + growth->used / 2 + ARRAY_LEN(growth->habits.uses) + 1);
}

static double weight_of_use(const struct growth *growth, const struct use *use, uint16_t last)
{
    if (growth->by_address)
        return weight_of(use->event.day, last, growth->half_life_days);
    return fmin((double)use->parts / WEIGHT_PARTS, PREFIX_COUNT_MAX);
}

static enum err_code end_entity(struct growth *growth, uint64_t entity, struct err *err)
{
    struct prefix_arrays *arrays = growth->arrays;
    struct habits *habits = &growth->habits;
    int f = growth->family;
    double sum = 0;

    if (habits->used > PREFIX_ENTITY_ADDRESSES_MAX)
        keep_latest(habits);
    if (habits->pruned)
        qsort(habits->uses, habits->used, sizeof *habits->uses, by_key);
    make_room(growth);
    for (size_t i = 0; i < habits->used; i++) {
        const struct prefix_event *event = &habits->uses[i].event;
        size_t at = growth->used++;

        sum += weight_of_use(growth, &habits->uses[i], growth->last[entity]);
        arrays->keys[f][at] = event->key;
        arrays->days[f][at] = (uint16_t)(event->day | (event->count > 1 ? 0 : PREFIX_ONCE));
        arrays->weights[f][at] = (float)sum;
        TRY(spool_add(&growth->all, event, err));
    }
    arrays->starts[f][entity + 1] = growth->used;
    habits->used = 0;
    habits->pruned = false;
    return ERR_NONE;
}

/* What one more event weighs; 0 = it is forgotten. */
static double weight_now(const struct growth *growth, const struct prefix_event *event)
{
    uint16_t last = growth->last[event->entity];

    if (weight_of(last, growth->today, growth->half_life_days) == 0)
        return 0;
    return event->count * weight_of(event->day, last, growth->half_life_days);
}

/* Of the events from the reader's place on those of the family. *next is the first one behind. */
static enum err_code fill(struct growth *growth, struct spool_reader *reader, const void **next,
                          uint64_t entity_count, struct err *err)
{
    for (uint64_t entity = 0; entity < entity_count; entity++) {
        for (const struct prefix_event *event; (event = *next) != NULL;) {
            double weight;

            if (event->family != growth->family || event->entity != entity)
                break;
            weight = weight_now(growth, event);
            if (weight > 0)
                add_habit(&growth->habits, event, weight);
            TRY(spool_next(reader, next, err));
        }
        TRY(end_entity(growth, entity, err));
    }
    return ERR_NONE;
}

static int by_entity_order(const void *a, const void *b, void *unused)
{
    const struct prefix_event *x = a, *y = b;

    (void)unused;
    if (x->family != y->family)
        return x->family < y->family ? -1 : 1;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

static int by_key_order(const void *a, const void *b, void *unused)
{
    const struct prefix_event *x = a, *y = b;

    (void)unused;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->entity > y->entity) - (x->entity < y->entity);
}

/* Where the members of an event begin, as a little-endian machine has them. */
static const uint8_t EVENT_DIGITS[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
enum { KEY_DIGITS = 8 };
_Static_assert(offsetof(struct prefix_event, key) == 0 && offsetof(struct prefix_event, day) == 12,
               "digits of an event: the family is the highest bit of the twelfth");

static enum err_code fill_all(struct growth *growth, struct err *err)
{
    const struct spool_order order = {
        .compare = by_key_order, .digits = EVENT_DIGITS, .digit_count = KEY_DIGITS};
    AUTO(spool_reader_done) struct spool_reader reader = {.buffer = NULL};
    uint64_t *keys = own_array(growth->used + 1, sizeof *keys);
    uint32_t *entities = own_array(growth->used + 1, sizeof *entities);

    growth->arrays->all_keys[growth->family] = keys;
    growth->arrays->all_entities[growth->family] = entities;
    TRY(spool_sort(&growth->all, &order, err));
    spool_reader_init(&reader, &growth->all);
    for (size_t i = 0; i < growth->used; i++) {
        const struct prefix_event *event;
        const void *next;

        TRY(spool_next(&reader, &next, err));
        event = next;
        keys[i] = event->key;
        entities[i] = event->entity;
    }
    return ERR_NONE;
}

static enum err_code fit_family(struct growth *growth, int f, struct spool_reader *reader,
                                const void **next, struct prefix_tree *ret, struct err *err)
{
    struct prefix_arrays *arrays = growth->arrays;

    growth->family = f;
    growth->used = growth->capacity = 0;
    arrays->starts[f] = own_array(ret->entity_count + 1, sizeof *arrays->starts[f]);
    make_room(growth);
    TRY(fill(growth, reader, next, ret->entity_count, err));
    if (growth->used > PREFIX_ADDRESSES_MAX)
        return err_set(err, ERR_INVALID,
                       "entities use more than %" PRIu32
                       " addresses altogether: train on fewer days, or on fewer specs",
                       PREFIX_ADDRESSES_MAX);
    resize(growth, growth->used + 1);
    TRY(fill_all(growth, err));
    ret->families[f] = (struct prefix_family){
        .starts = arrays->starts[f],
        .keys = arrays->keys[f],
        .weights = arrays->weights[f],
        .days = arrays->days[f],
        .count = growth->used,
        .all_keys = arrays->all_keys[f],
        .all_entities = arrays->all_entities[f],
    };
    return ERR_NONE;
}

enum err_code prefix_fit(struct prefix_events *events, uint16_t today, double half_life_days,
                         struct prefix_tree *ret, struct prefix_arrays *arrays, struct err *err)
{
    const struct spool_order order = {
        .compare = by_entity_order, .digits = EVENT_DIGITS, .digit_count = sizeof EVENT_DIGITS};
    AUTO(own_freep) struct growth *growth = own_alloc(sizeof *growth);
    AUTO(spool_reader_done) struct spool_reader reader = {.buffer = NULL};
    enum err_code code = ERR_NONE;
    const void *next;

    growth->arrays = arrays;
    growth->half_life_days = half_life_days;
    growth->today = today;
    growth->last = events->last;
    growth->by_address = events->by_address;
    *ret = (struct prefix_tree){.entity_count = events->entity_count};
    TRY(spool_sort(&events->spool, &order, err));
    spool_reader_init(&reader, &events->spool);
    TRY(spool_next(&reader, &next, err));
    for (int f = 0; f < PREFIX_FAMILIES && code == ERR_NONE; f++) {
        spool_init(&growth->all, events->spool.pool, sizeof(struct prefix_event));
        code = fit_family(growth, f, &reader, &next, ret, err);
        spool_done(&growth->all);
    }
    if (code == ERR_NONE)
        prefix_tree_index(ret);
    return code;
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
