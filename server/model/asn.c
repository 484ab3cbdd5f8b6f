#include "model/asn.h"

#include <math.h>
#include <string.h>

#include "base/own.h"

/* More of an entity's systems, or ranges of a prefix, than these are not summed: a busy server's
 * score must not take a thousand times another's. */
enum { SUMMED_MAX = 4096 };
static const double KEYS = 18446744073709551616.0; /* 2^64 */

static bool ranges_hold(const struct asn_ranges *ranges, uint64_t system_count)
{
    for (uint64_t i = 0; i < ranges->count; i++)
        if (ranges->highs[i] < ranges->lows[i] || ranges->systems[i] >= system_count ||
            (i > 0 && ranges->lows[i] <= ranges->highs[i - 1]))
            return false;
    return true;
}

bool asn_table_holds(const struct asn_table *table)
{
    uint64_t ends = 0;

    for (uint64_t i = 1; i < table->system_count; i++)
        if (table->numbers[i] <= table->numbers[i - 1])
            return false;
    for (uint64_t i = 0; i < table->names_length; i++)
        ends += table->names[i] == '\0';
    if (ends != table->system_count ||
        (table->names_length > 0 && table->names[table->names_length - 1] != '\0'))
        return false;
    for (int f = 0; f < PREFIX_FAMILIES; f++)
        if (!ranges_hold(&table->families[f], table->system_count))
            return false;
    return true;
}

/* Index of the last range that begins at the key or before; count when none does. */
static uint64_t range_at(const struct asn_ranges *ranges, uint64_t key)
{
    uint64_t low = 0, high = ranges->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (ranges->lows[middle] <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : ranges->count;
}

int64_t asn_find(const struct asn_table *table, int family, uint64_t key)
{
    const struct asn_ranges *ranges = &table->families[family];
    uint64_t at = range_at(ranges, key);

    return at < ranges->count && key <= ranges->highs[at] ? (int64_t)ranges->systems[at] : ASN_NONE;
}

static double size_of(const struct asn_ranges *ranges, uint64_t range)
{
    return (double)(ranges->highs[range] - ranges->lows[range]) + 1;
}

/* Ranges by system, by counting. */
static void spread_ranges(const struct asn_ranges *ranges, uint64_t system_count,
                          struct asn_spread *ret)
{
    AUTO(own_freep) uint64_t *next = own_array(system_count + 1, sizeof *next);

    ret->sizes = own_array(system_count + 1, sizeof *ret->sizes);
    ret->system_starts = own_array(system_count + 1, sizeof *ret->system_starts);
    ret->ranges = own_array(ranges->count + 1, sizeof *ret->ranges);
    ret->before = own_array(ranges->count + 1, sizeof *ret->before);
    for (uint64_t i = 0; i < ranges->count; i++)
        ret->system_starts[ranges->systems[i] + 1]++;
    for (uint64_t i = 0; i < system_count; i++)
        next[i + 1] = ret->system_starts[i + 1] += ret->system_starts[i];
    for (uint64_t i = 0; i < ranges->count; i++) {
        uint32_t system = ranges->systems[i];
        uint64_t at = next[system]++;

        ret->ranges[at] = (uint32_t)i;
        ret->before[at] = ret->sizes[system];
        ret->sizes[system] += size_of(ranges, i);
    }
}

/* The place of a system among the entity's, or of the first one after it. */
static uint64_t place_of(const struct asn_spread *spread, uint64_t low, uint64_t high,
                         uint32_t system)
{
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (spread->systems[middle] < system)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* One more address of an entity whose systems begin at start and end at *end. */
static void add_address(struct asn_spread *spread, uint64_t start, uint64_t *end, uint32_t system,
                        float weight)
{
    uint64_t at = place_of(spread, start, *end, system);

    if (at == *end || spread->systems[at] != system) {
        memmove(spread->systems + at + 1, spread->systems + at,
                (*end - at) * sizeof *spread->systems);
        memmove(spread->weights + at + 1, spread->weights + at,
                (*end - at) * sizeof *spread->weights);
        spread->systems[at] = system;
        spread->weights[at] = 0;
        ++*end;
    }
    spread->weights[at] += weight;
}

static void spread_entities(struct asn_index *index, int f, const struct prefix_tree *tree)
{
    const struct prefix_family *family = &tree->families[f];
    struct asn_spread *spread = &index->families[f];
    uint64_t end = 0;

    spread->entity_starts = own_array(tree->entity_count + 1, sizeof *spread->entity_starts);
    spread->systems = own_array(family->count + 1, sizeof *spread->systems);
    spread->weights = own_array(family->count + 1, sizeof *spread->weights);
    for (uint64_t entity = 0; entity < tree->entity_count; entity++) {
        uint64_t first = family->starts[entity], start = end;

        for (uint64_t i = first; i < family->starts[entity + 1]; i++) {
            int64_t system = asn_find(&index->table, f, family->keys[i]);
            float before = i > first ? family->weights[i - 1] : 0;

            if (system != ASN_NONE)
                add_address(spread, start, &end, (uint32_t)system, family->weights[i] - before);
        }
        spread->entity_starts[entity + 1] = end;
        for (uint64_t i = start; i < end; i++)
            index->entity_counts[spread->systems[i]]++;
    }
}

struct asn_index *asn_index_new(const struct asn_table *table, const struct prefix_tree *tree)
{
    struct asn_index *index;
    const char *name = table->names;

    if (table->system_count == 0)
        return NULL;
    index = own_alloc(sizeof *index);
    index->table = *table;
    index->names = own_array(table->system_count, sizeof *index->names);
    index->entity_counts = own_array(table->system_count, sizeof *index->entity_counts);
    for (uint64_t i = 0; i < table->system_count; i++, name += strlen(name) + 1)
        index->names[i] = name;
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        spread_ranges(&table->families[f], table->system_count, &index->families[f]);
        spread_entities(index, f, tree);
    }
    return index;
}

void asn_index_free(struct asn_index *index)
{
    if (index == NULL)
        return;
    for (int f = 0; f < PREFIX_FAMILIES; f++) {
        struct asn_spread *spread = &index->families[f];

        own_freep(&spread->sizes);
        own_freep(&spread->system_starts);
        own_freep(&spread->ranges);
        own_freep(&spread->before);
        own_freep(&spread->entity_starts);
        own_freep(&spread->systems);
        own_freep(&spread->weights);
    }
    own_freep(&index->names);
    own_freep(&index->entity_counts);
    own_freep(&index);
}

double asn_weight(const struct asn_index *index, int family, uint64_t entity, int64_t system)
{
    const struct asn_spread *spread = &index->families[family];
    uint64_t end = spread->entity_starts[entity + 1], at;

    if (system == ASN_NONE)
        return 0;
    at = place_of(spread, spread->entity_starts[entity], end, (uint32_t)system);
    return at < end && spread->systems[at] == (uint32_t)system ? (double)spread->weights[at] : 0;
}

/* Keys of the system below the key, the key itself not included. */
static double keys_below(const struct asn_index *index, int family, uint32_t system, uint64_t key)
{
    const struct asn_ranges *ranges = &index->table.families[family];
    const struct asn_spread *spread = &index->families[family];
    uint64_t low = spread->system_starts[system], high = spread->system_starts[system + 1], range;

    while (low < high) { /* the first range that does not begin below */
        uint64_t middle = low + (high - low) / 2;

        if (ranges->lows[spread->ranges[middle]] < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == spread->system_starts[system])
        return 0;
    range = spread->ranges[low - 1];
    if (key > ranges->highs[range])
        return spread->before[low - 1] + size_of(ranges, range);
    return spread->before[low - 1] + (double)(key - ranges->lows[range]);
}

/* Share of the system that lies from low to high, both included. */
static double share_within(const struct asn_index *index, int family, uint32_t system, uint64_t low,
                           uint64_t high)
{
    double size = index->families[family].sizes[system];
    double end = high == UINT64_MAX ? size : keys_below(index, family, system, high + 1);

    return size > 0 ? (end - keys_below(index, family, system, low)) / size : 0;
}

/* What the entity's use of systems says of a network, as a weight. By its systems or by the
 * network's ranges, whichever are fewer. */
static double weight_within(const struct asn_index *index, int family, uint64_t entity,
                            uint64_t low, uint64_t high)
{
    const struct asn_ranges *ranges = &index->table.families[family];
    const struct asn_spread *spread = &index->families[family];
    uint64_t start = spread->entity_starts[entity], end = spread->entity_starts[entity + 1];
    uint64_t first = range_at(ranges, low), last = range_at(ranges, high);
    double sum = 0;

    if (first == ranges->count || ranges->highs[first] < low)
        first = first == ranges->count ? 0 : first + 1;
    if (last == ranges->count || first > last)
        return 0;
    if (end - start <= last - first) {
        for (uint64_t i = start; i < end && i - start < SUMMED_MAX; i++)
            sum += (double)spread->weights[i] *
                   share_within(index, family, spread->systems[i], low, high);
        return sum;
    }
    for (uint64_t i = first; i <= last && i - first < SUMMED_MAX; i++) {
        uint64_t from = ranges->lows[i] > low ? ranges->lows[i] : low;
        uint64_t to = ranges->highs[i] < high ? ranges->highs[i] : high;
        uint32_t system = ranges->systems[i];

        sum += asn_weight(index, family, entity, system) * ((double)(to - from) + 1) /
               spread->sizes[system];
    }
    return sum;
}

double asn_evidence(const struct asn_index *index, int family, uint64_t entity, uint64_t key,
                    int prefix_bits)
{
    const struct asn_spread *spread = &index->families[family];
    uint64_t host = prefix_bits > 0 ? UINT64_MAX >> prefix_bits : UINT64_MAX;
    double used = (double)(spread->entity_starts[entity + 1] - spread->entity_starts[entity]);
    int64_t system = asn_find(&index->table, family, key);
    double here, around;

    if (used == 0)
        return 0;
    here = used;
    if (system != ASN_NONE)
        here += asn_weight(index, family, entity, system) * KEYS / spread->sizes[system];
    around = used + weight_within(index, family, entity, key & ~host, key | host) * KEYS /
                        ((double)host + 1);
    return log2(here / around);
}
