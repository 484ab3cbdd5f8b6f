/* The table of an object's pairs: open addressing with linear probing, at most half full. */
#include "lake/dedupe.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/own.h"

enum { SPEC_STRIDE = 1024, SLOTS_FIRST = 1024, ENTRIES_FIRST = 512, ARENA_SPARE_BYTES = 64 * 1024 };

void dedupe_init(struct dedupe *dedupe, struct arena *arena, int64_t bucket_ms, uint64_t pairs_max)
{
    *dedupe = (struct dedupe){
        .arena = arena,
        .bucket_ms = bucket_ms,
        .pairs_max = pairs_max < UINT32_MAX ? pairs_max : UINT32_MAX - 1,
        .slots = own_array(SLOTS_FIRST, sizeof *dedupe->slots),
        .slot_count = SLOTS_FIRST,
        .account = "",
        .region = "",
    };
}

void dedupe_done(struct dedupe *dedupe)
{
    free(dedupe->entries);
    free(dedupe->slots);
    *dedupe = (struct dedupe){0};
}

static uint64_t hash_of(const struct sighting *sighting, int64_t bucket)
{
    uint64_t hash = hash_bytes(sighting->entity, sighting->entity_length, hash_seed());

    hash = hash_bytes(sighting->ip.bytes, sizeof sighting->ip.bytes, hash);
    return hash_mix(hash ^ hash_mix((uint64_t)bucket * SPEC_STRIDE + sighting->spec));
}

static bool is_same(const struct dedupe_entry *entry, const struct sighting *sighting,
                    uint64_t hash, int64_t bucket)
{
    return entry->hash == hash && entry->bucket == bucket && entry->spec == sighting->spec &&
           ip_equal(&entry->pair.ip, &sighting->ip) &&
           strncmp(entry->pair.entity, sighting->entity, sighting->entity_length) == 0 &&
           entry->pair.entity[sighting->entity_length] == '\0';
}

static void place(struct dedupe *dedupe, uint64_t hash, uint32_t value)
{
    size_t mask = dedupe->slot_count - 1;
    size_t at = (size_t)hash & mask;

    while (dedupe->slots[at] != 0)
        at = (at + 1) & mask;
    dedupe->slots[at] = value;
}

static void grow(struct dedupe *dedupe)
{
    if (dedupe->count == dedupe->capacity) {
        dedupe->capacity = dedupe->capacity > 0 ? dedupe->capacity * 2 : ENTRIES_FIRST;
        dedupe->entries = own_resize(dedupe->entries, dedupe->capacity, sizeof *dedupe->entries);
    }
    if (dedupe->count * 2 < dedupe->slot_count)
        return;
    free(dedupe->slots);
    dedupe->slot_count *= 2;
    dedupe->slots = own_array(dedupe->slot_count, sizeof *dedupe->slots);
    for (size_t i = 0; i < dedupe->count; i++)
        place(dedupe, dedupe->entries[i].hash, (uint32_t)i + 1);
}

static struct dedupe_entry *find(const struct dedupe *dedupe, const struct sighting *sighting,
                                 uint64_t hash, int64_t bucket)
{
    size_t mask = dedupe->slot_count - 1;

    for (size_t at = (size_t)hash & mask; dedupe->slots[at] != 0; at = (at + 1) & mask) {
        struct dedupe_entry *entry = &dedupe->entries[dedupe->slots[at] - 1];

        if (is_same(entry, sighting, hash, bucket))
            return entry;
    }
    return NULL;
}

/* The last text again when it is the same, else a copy. */
static const char *keep_text(struct dedupe *dedupe, const char **last, const char *text,
                             size_t length)
{
    if (length == 0)
        return "";
    if (strncmp(*last, text, length) != 0 || (*last)[length] != '\0')
        *last = arena_strndup(dedupe->arena, text, length);
    return *last;
}

/* An arena that overflows aborts, so what is about to be added is held against its limit, with room
 * for the array of dedupe_pairs. */
static bool has_room(const struct dedupe *dedupe, const struct sighting *sighting)
{
    size_t need = sighting->entity_length + sighting->account_length + sighting->region_length +
                  (dedupe->count + 1) * sizeof(struct lake_pair) + ARENA_SPARE_BYTES;

    return dedupe->count < dedupe->pairs_max && need <= dedupe->arena->bytes_max &&
           dedupe->arena->used_bytes <= dedupe->arena->bytes_max - need;
}

static void add_new(struct dedupe *dedupe, const char *spec_name, const struct sighting *sighting,
                    uint64_t hash, int64_t bucket)
{
    grow(dedupe);
    dedupe->entries[dedupe->count] = (struct dedupe_entry){
        .hash = hash,
        .bucket = bucket,
        .spec = sighting->spec,
        .answers = sighting->answers,
        .pair =
            {
                .spec = spec_name,
                .entity = arena_strndup(dedupe->arena, sighting->entity, sighting->entity_length),
                .ip = sighting->ip,
                .first_ms = sighting->time_ms,
                .last_ms = sighting->time_ms,
                .count = sighting->rows,
                .account = keep_text(dedupe, &dedupe->account, sighting->account,
                                     sighting->account_length),
                .region =
                    keep_text(dedupe, &dedupe->region, sighting->region, sighting->region_length),
                .rejected = sighting->rejected,
                .one_way = sighting->one_way,
            },
    };
    dedupe->count++;
    place(dedupe, hash, (uint32_t)dedupe->count);
}

enum err_code dedupe_add(struct dedupe *dedupe, const char *spec_name,
                         const struct sighting *sighting, uint32_t *ret_entry, struct err *err)
{
    int64_t bucket = sighting->time_ms / dedupe->bucket_ms; /* times are not negative */
    uint64_t hash = hash_of(sighting, bucket);
    struct dedupe_entry *entry = find(dedupe, sighting, hash, bucket);

    if (entry == NULL) {
        if (!has_room(dedupe, sighting))
            return err_set(err, ERR_TOO_LARGE, "the object has more than %zu distinct pairs",
                           dedupe->count);
        *ret_entry = (uint32_t)dedupe->count;
        add_new(dedupe, spec_name, sighting, hash, bucket);
        return ERR_NONE;
    }
    *ret_entry = (uint32_t)(entry - dedupe->entries);
    entry->pair.rejected = entry->pair.rejected && sighting->rejected;
    entry->pair.one_way = entry->pair.one_way && sighting->one_way;
    entry->answers = entry->answers || sighting->answers;
    dedupe_add_again(dedupe, *ret_entry, sighting->rows, sighting->time_ms, sighting->time_ms);
    return ERR_NONE;
}

void dedupe_add_again(struct dedupe *dedupe, uint32_t entry, uint64_t rows, int64_t first_ms,
                      int64_t last_ms)
{
    struct lake_pair *pair = &dedupe->entries[entry].pair;

    pair->count += rows;
    if (first_ms < pair->first_ms)
        pair->first_ms = first_ms;
    if (last_ms > pair->last_ms)
        pair->last_ms = last_ms;
}

bool dedupe_answered(const struct dedupe *dedupe, const struct dedupe_entry *entry, size_t spec)
{
    struct sighting asked = {.spec = spec,
                             .entity = entry->pair.entity,
                             .entity_length = strlen(entry->pair.entity),
                             .ip = entry->pair.ip};

    for (int64_t bucket = entry->bucket - 1; bucket <= entry->bucket + 1; bucket++) {
        const struct dedupe_entry *found = find(dedupe, &asked, hash_of(&asked, bucket), bucket);

        if (found != NULL && found->answers)
            return true;
    }
    return false;
}

struct lake_pair *dedupe_pairs(const struct dedupe *dedupe, size_t spec_count, size_t *ret_count)
{
    struct lake_pair *pairs = ARENA_ARRAY(dedupe->arena, struct lake_pair, dedupe->count);
    size_t done = 0;

    for (size_t spec = 0; spec < spec_count; spec++)
        for (size_t i = 0; i < dedupe->count; i++)
            if (dedupe->entries[i].spec == spec)
                pairs[done++] = dedupe->entries[i].pair;
    *ret_count = done;
    return pairs;
}
