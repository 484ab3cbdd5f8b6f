/* Entities by the hashes of their names. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "model/parts.h"

enum { HASH_TEXT_BYTES = 4096 };

uint64_t entity_hash(bool scoped, const char *spec, const char *entity)
{
    char text[HASH_TEXT_BYTES];
    size_t entity_length = strlen(entity), spec_length = strlen(spec);

    if (!scoped)
        return hash_bytes(entity, entity_length, 0);
    if (spec_length + 1 + entity_length > sizeof text)
        return hash_mix(hash_bytes(spec, spec_length, 1) ^ hash_bytes(entity, entity_length, 0));
    memcpy(text, spec, spec_length);
    text[spec_length] = '\x1f';
    memcpy(text + spec_length + 1, entity, entity_length);
    return hash_bytes(text, spec_length + 1 + entity_length, 0);
}

enum { FIND_STEP = 16 };

/* Hashes are spread evenly: one is near its share of the way, and sought outwards from there. */
static uint64_t hash_place(uint64_t count, uint64_t hash)
{
    return (hash >> 32) * count >> 32;
}

static uint64_t hash_find(const uint64_t *hashes, uint64_t count, uint64_t hash)
{
    uint64_t low = hash_place(count, hash), high = low, step = FIND_STEP;

    for (; low > 0 && hashes[low] >= hash; step *= 2) {
        high = low;
        low = low > step ? low - step : 0;
    }
    for (; high < count && hashes[high] < hash; step *= 2) {
        low = high + 1;
        high = count - high > step ? high + step : count;
    }
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (hashes[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && hashes[low] == hash ? low : count;
}

void entity_fetch(const struct model_parts *parts, uint64_t hash)
{
    __builtin_prefetch(&parts->entity_hashes[hash_place(parts->entity_count, hash)]);
    __builtin_prefetch(&parts->vector_hashes[hash_place(parts->vector_count, hash)]);
}

uint64_t entity_find(const struct model_parts *parts, uint64_t hash)
{
    return hash_find(parts->entity_hashes, parts->entity_count, hash);
}

uint64_t entity_remembered(const struct model_parts *parts, uint64_t hash)
{
    uint64_t index = entity_find(parts, hash);

    return prefix_knows(&parts->tree, index) ? index : parts->entity_count;
}

struct habit entity_habit(const struct model_parts *parts, uint64_t entity)
{
    static const double LENT = 2; /* as if it had come back so often more */
    double observed, addresses = 0;

    if (entity >= parts->entity_count)
        return (struct habit){0, 0};
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        const uint64_t *starts = parts->tree.families[f].starts;

        addresses += (double)(starts[entity + 1] - starts[entity]);
    }
    observed = (double)parts->observations[entity];
    return (struct habit){observed, fmax(0, (observed - addresses + LENT) / (observed + LENT))};
}

uint64_t entity_vector_row(const struct model_parts *parts, uint64_t hash)
{
    uint64_t index = hash_find(parts->vector_hashes, parts->vector_count, hash);

    return entity_row(parts->entity_rows, parts->vector_count, index, hash);
}

uint64_t entity_row(uint64_t entity_rows, uint64_t entity_count, uint64_t index, uint64_t hash)
{
    if (index == entity_count)
        return entity_rows;
    return entity_count <= entity_rows ? index : hash % entity_rows;
}
