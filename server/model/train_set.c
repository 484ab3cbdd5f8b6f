/* Gathering pairs, and the order that training wants them in. */
#include "model/train_set.h"

#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/parts.h"

#define SET_TEXT_BYTES_MAX ((size_t)64 << 30)
enum { SLOTS_MIN = 1024, ENTITIES_MIN = 256 };

struct train_set *train_set_new(uint64_t memory_bytes, const char *folder)
{
    struct train_set *set = own_alloc(sizeof *set);

    set->folder = own_strdup(folder);
    spool_pool_init(&set->pool, memory_bytes, set->folder);
    spool_init(&set->records, &set->pool, sizeof(struct train_record));
    arena_init(&set->texts, SET_TEXT_BYTES_MAX);
    set->slots = own_array(SLOTS_MIN, sizeof *set->slots);
    set->slot_mask = SLOTS_MIN - 1;
    set->seed = hash_seed();
    return set;
}

void train_set_freep(struct train_set **set)
{
    if (*set == NULL)
        return;
    spool_done(&(*set)->records);
    arena_done(&(*set)->texts);
    own_freep(&(*set)->folder);
    own_freep(&(*set)->entities);
    own_freep(&(*set)->slots);
    own_freep(set);
}

uint64_t train_set_count(const struct train_set *set)
{
    return set->records.count;
}

uint64_t train_set_unanswered(const struct train_set *set)
{
    return set->records.count - set->learned;
}

bool train_set_spilled(const struct train_set *set)
{
    return set->records.filed;
}

size_t train_set_specs(const struct train_set *set)
{
    return set->spec_count;
}

/* ---- numbers for names ---- */

static enum err_code spec_number(struct train_set *set, const char *name, uint32_t *ret,
                                 struct err *err)
{
    size_t length;

    for (*ret = 0; *ret < set->spec_count; ++*ret)
        if (strcmp(set->specs[*ret], name) == 0)
            return ERR_NONE;
    length = strlen(name);
    if (length >= SPEC_NAME_BYTES)
        return err_set(err, ERR_INVALID, "the spec's name \"%.80s\" is longer than %d bytes", name,
                       SPEC_NAME_BYTES - 1);
    if (set->spec_count == MODEL_SPECS_MAX)
        return err_set(err, ERR_INVALID, "there are more than %d pair specs", MODEL_SPECS_MAX);
    set->specs[set->spec_count++] = arena_strndup(&set->texts, name, length);
    return ERR_NONE;
}

static void widen(struct train_set *set)
{
    set->slot_mask = 2 * set->slot_mask + 1;
    own_freep(&set->slots);
    set->slots = own_array(set->slot_mask + 1, sizeof *set->slots);
    for (uint32_t i = 0; i < set->entity_count; i++) {
        uint64_t at = set->entities[i].hash & set->slot_mask;

        while (set->slots[at] != 0)
            at = (at + 1) & set->slot_mask;
        set->slots[at] = i + 1;
    }
}

static bool is_entity(const struct train_set *set, uint32_t number, uint32_t spec, uint64_t hash,
                      const char *name)
{
    const struct train_entity *entity = &set->entities[number];

    return entity->hash == hash && entity->spec == spec && strcmp(entity->name, name) == 0;
}

static enum err_code entity_number(struct train_set *set, uint32_t spec, const char *name,
                                   uint32_t *ret, struct err *err)
{
    size_t length = strlen(name);
    uint64_t hash = hash_bytes(name, length, set->seed + spec), at = hash & set->slot_mask;

    for (; set->slots[at] != 0; at = (at + 1) & set->slot_mask) {
        *ret = set->slots[at] - 1;
        if (is_entity(set, *ret, spec, hash, name))
            return ERR_NONE;
    }
    if (set->entity_count == TRAIN_ENTITIES_MAX)
        return err_set(err, ERR_TOO_LARGE, "there are more than %d entities", TRAIN_ENTITIES_MAX);
    if (set->entity_count == set->entity_capacity) {
        set->entity_capacity = set->entity_capacity > 0 ? 2 * set->entity_capacity : ENTITIES_MIN;
        set->entities = own_resize(set->entities, set->entity_capacity, sizeof *set->entities);
    }
    *ret = set->entity_count++;
    set->entities[*ret] = (struct train_entity){.name = arena_strndup(&set->texts, name, length),
                                                .hash = hash,
                                                .name_hash = hash_bytes(name, length, 0),
                                                .spec = spec};
    set->slots[at] = *ret + 1;
    if (2 * (uint64_t)set->entity_count > set->slot_mask)
        widen(set);
    return ERR_NONE;
}

static void note_learned(struct train_set *set, const struct train_record *record)
{
    struct train_entity *entity = &set->entities[record->entity];

    if (set->learned == 0)
        set->first_ip = record->ip;
    set->varied = set->varied || !ip_equal(&set->first_ip, &record->ip);
    set->learned_entities += !entity->learned;
    entity->learned = true;
    set->spec_pairs[entity->spec]++;
    set->learned++;
}

enum err_code train_set_add(struct train_set *set, const struct train_pair *pair, struct err *err)
{
    struct train_record record = {.time_ms = pair->time_ms, .ip = pair->ip};

    if (set->records.count == TRAIN_PAIRS_MAX)
        return err_set(err, ERR_TOO_LARGE, "there are more than %d pairs", TRAIN_PAIRS_MAX);
    record.entity = set->last;
    if (set->entity_count == 0 || strcmp(set->entities[set->last].name, pair->entity) != 0 ||
        strcmp(train_set_spec(set, set->last), pair->spec) != 0) {
        uint32_t spec;

        TRY(spec_number(set, pair->spec, &spec, err));
        TRY(entity_number(set, spec, pair->entity, &record.entity, err));
    }
    record.count = pair->count < INT32_MAX ? (uint32_t)pair->count & INT32_MAX : INT32_MAX;
    record.unanswered = pair->unanswered;
    record.scatter =
        hash_bytes(pair->ip.bytes, sizeof pair->ip.bytes, set->entities[record.entity].name_hash);
    TRY(spool_add(&set->records, &record, err));
    set->last = record.entity;
    set->ordered = false;
    if (!pair->unanswered)
        note_learned(set, &record);
    return ERR_NONE;
}

/* ---- order ---- */

/* What is equal in it is equal in everything that matters. Pairs of one time, or of none, are
 * shuffled by a hash: in the order of names the newest fifth, which calibrates, would be entities
 * that the oldest four fifths have never seen. */
static int by_time(const void *a, const void *b, void *context)
{
    const struct train_record *x = a, *y = b;
    const struct train_set *set = context;
    int order = 0;

    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    if (set->spec_count > 1)
        order = strcmp(train_set_spec(set, x->entity), train_set_spec(set, y->entity));
    if (order == 0 && x->scatter != y->scatter)
        return x->scatter < y->scatter ? -1 : 1;
    if (order == 0 && x->entity != y->entity)
        order = strcmp(set->entities[x->entity].name, set->entities[y->entity].name);
    if (order == 0)
        order = ip_compare(&x->ip, &y->ip);
    if (order == 0)
        order = (x->count > y->count) - (x->count < y->count);
    return order != 0 ? order : (int)x->unanswered - (int)y->unanswered;
}

enum err_code train_set_order(struct train_set *set, struct err *err)
{
    const struct spool_order order = {.compare = by_time, .context = set};

    if (!set->ordered)
        TRY(spool_sort(&set->records, &order, err));
    set->ordered = true;
    return ERR_NONE;
}

/* ---- parts ---- */

void train_walk_init(struct train_walk *walk, struct train_set *set, bool older)
{
    *walk = (struct train_walk){.set = set};
    spool_reader_init(&walk->reader, &set->records);
    for (size_t i = 0; i < set->spec_count; i++)
        walk->left[i] = set->spec_pairs[i] - (older ? set->spec_pairs[i] / HELD_OUT_PART : 0);
}

void train_walk_done(struct train_walk *walk)
{
    spool_reader_done(&walk->reader);
}

enum err_code train_walk_next(struct train_walk *walk, const struct train_record **ret,
                              struct err *err)
{
    for (;;) {
        const void *next;
        uint64_t *left;

        TRY(spool_next(&walk->reader, &next, err));
        *ret = next;
        if (next == NULL)
            return ERR_NONE;
        if ((*ret)->unanswered)
            continue;
        left = &walk->left[walk->set->entities[(*ret)->entity].spec];
        if (*left > 0) {
            --*left;
            return ERR_NONE;
        }
    }
}

enum err_code train_set_held_out(struct train_set *set, struct spool *ret, struct err *err)
{
    AUTO(spool_reader_done) struct spool_reader reader = {.buffer = NULL};
    uint64_t older[MODEL_SPECS_MAX];

    for (size_t i = 0; i < set->spec_count; i++)
        older[i] = set->spec_pairs[i] - set->spec_pairs[i] / HELD_OUT_PART;
    spool_init(ret, &set->pool, sizeof(struct train_record));
    spool_reader_init(&reader, &set->records);
    for (;;) {
        const struct train_record *record;
        const void *next;
        uint64_t *left;

        TRY(spool_next(&reader, &next, err));
        if (next == NULL)
            return ERR_NONE;
        record = next;
        left = &older[set->entities[record->entity].spec];
        if (*left == 0)
            TRY(spool_add(ret, record, err));
        else
            *left -= !record->unanswered;
    }
}
