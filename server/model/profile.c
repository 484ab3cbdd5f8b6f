/* What each entity usually talks to: its most used networks. */
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "model/learn.h"

static int by_entity_and_ip(const void *a, const void *b)
{
    const struct observation *x = a, *y = b;

    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return ip_compare(&x->ip, &y->ip);
}

static int by_count_down(const void *a, const void *b)
{
    const struct network_part *x = a, *y = b;

    if (x->observations != y->observations)
        return x->observations > y->observations ? -1 : 1;
    return memcmp(x->ip, y->ip, sizeof x->ip);
}

static void truncate(uint8_t ip[static 16])
{
    struct ip full;
    size_t kept;

    memcpy(full.bytes, ip, sizeof full.bytes);
    kept = ip_is_v4(&full) ? 15 : 6;
    memset(ip + kept, 0, 16 - kept);
}

/* Sums the counts of equal networks of one entity, whose observations are in order. Returns how
 * many there are. */
static size_t sum_up(const struct observation *from, size_t count, struct network_part *ret)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        struct network_part part = {.observations = from[i].count};

        memcpy(part.ip, from[i].ip.bytes, sizeof part.ip);
        truncate(part.ip);
        if (used > 0 && memcmp(ret[used - 1].ip, part.ip, sizeof part.ip) == 0)
            ret[used - 1].observations += part.observations;
        else
            ret[used++] = part;
    }
    return used;
}

static size_t keep_most_used(struct network_part *parts, size_t count, size_t most)
{
    qsort(parts, count, sizeof *parts, by_count_down);
    return count < most ? count : most;
}

static void add_networks(struct learned *learned, size_t entity, struct network_part *scratch,
                         size_t count)
{
    uint64_t start = learned->network_starts[entity];
    size_t kept = keep_most_used(scratch, count, MODEL_NETWORKS_MAX);

    memcpy(learned->networks + start, scratch, kept * sizeof *scratch);
    learned->network_starts[entity + 1] = start + kept;
}

static void add_entity(struct learned *learned, size_t entity, const struct observation *from,
                       size_t count, struct network_part *scratch)
{
    for (size_t i = 0; i < count; i++)
        learned->observations[entity] += from[i].count;
    add_networks(learned, entity, scratch, sum_up(from, count, scratch));
}

void profile(struct observation *observations, size_t count, size_t entity_count,
             struct learned *ret)
{
    AUTO(own_freep) struct network_part *scratch = own_array(count, sizeof *scratch);
    size_t start = 0;

    ret->observations = own_array(entity_count, sizeof(uint64_t));
    ret->network_starts = own_array(entity_count + 1, sizeof(uint64_t));
    ret->networks = own_array(count, sizeof *ret->networks);
    qsort(observations, count, sizeof *observations, by_entity_and_ip);
    for (size_t entity = 0; entity < entity_count; entity++) {
        size_t end = start;

        while (end < count && observations[end].entity == entity)
            end++;
        add_entity(ret, entity, observations + start, end - start, scratch);
        start = end;
    }
}
