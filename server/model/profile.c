/* What each entity usually talks to: its most used networks, /24 or /48. */
#include "model/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"

enum { SCRATCH_NETWORKS = 4096, NETWORKS_MIN = 1024, V6_NETWORK_BYTES = 6 };
#define V4_MARK (UINT64_C(0xffff) << 48) /* above the 48 bits of an IPv6 network */

struct use {
    uint64_t network; /* 24 bits and V4_MARK, or 48 */
    uint32_t entity;
    uint32_t count;
};

static uint64_t network_of(const struct ip *ip)
{
    uint64_t network = 0;

    if (ip_is_v4(ip))
        return V4_MARK | ip_v4(ip) >> 8;
    for (int i = 0; i < V6_NETWORK_BYTES; i++)
        network = network << 8 | ip->bytes[i];
    return network;
}

static struct network_part part_of(uint64_t network)
{
    struct network_part part = {.observations = 0};

    if (network >= V4_MARK) {
        struct ip ip = ip_from_v4((uint32_t)(network & 0xffffff) << 8);

        memcpy(part.ip, ip.bytes, sizeof part.ip);
        return part;
    }
    for (int i = 0; i < V6_NETWORK_BYTES; i++)
        part.ip[i] = (uint8_t)(network >> (8 * (V6_NETWORK_BYTES - 1 - i)));
    return part;
}

void profiler_init(struct profiler *profiler, struct spool_pool *pool)
{
    spool_init(&profiler->uses, pool, sizeof(struct use));
}

void profiler_done(struct profiler *profiler)
{
    spool_done(&profiler->uses);
}

enum err_code profiler_add(struct profiler *profiler, uint32_t entity, const struct ip *ip,
                           uint64_t count, struct err *err)
{
    struct use use = {.network = network_of(ip), .entity = entity};

    while (count > 0) {
        use.count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
        TRY(spool_add(&profiler->uses, &use, err));
        count -= use.count;
    }
    return ERR_NONE;
}

static int by_entity(const void *a, const void *b, void *unused)
{
    const struct use *x = a, *y = b;

    (void)unused;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return (x->network > y->network) - (x->network < y->network);
}

static int by_count_down(const void *a, const void *b)
{
    const struct network_part *x = a, *y = b;

    if (x->observations != y->observations)
        return x->observations > y->observations ? -1 : 1;
    return memcmp(x->ip, y->ip, sizeof x->ip);
}

/* The networks of one entity after the other, of each the most used. */
struct profile {
    struct learned *learned;
    size_t entities, capacity; /* done; of the networks' array */
    size_t used;               /* of the entity's */
    struct network_part scratch[SCRATCH_NETWORKS];
};

static void keep_most_used(struct profile *profile)
{
    qsort(profile->scratch, profile->used, sizeof *profile->scratch, by_count_down);
    if (profile->used > MODEL_NETWORKS_MAX)
        profile->used = MODEL_NETWORKS_MAX;
}

static void end_entity(struct profile *profile)
{
    struct learned *learned = profile->learned;
    uint64_t start = learned->network_starts[profile->entities];

    keep_most_used(profile);
    if (start + profile->used > profile->capacity) {
        profile->capacity = 2 * profile->capacity + NETWORKS_MIN;
        learned->networks =
            own_resize(learned->networks, profile->capacity, sizeof *learned->networks);
    }
    memcpy(learned->networks + start, profile->scratch, profile->used * sizeof *profile->scratch);
    learned->network_starts[++profile->entities] = start + profile->used;
    profile->used = 0;
}

static void add_network(struct profile *profile, uint64_t network, uint64_t count)
{
    if (profile->used == SCRATCH_NETWORKS)
        keep_most_used(profile);
    profile->scratch[profile->used] = part_of(network);
    profile->scratch[profile->used++].observations = count;
}

static enum err_code read_uses(struct spool *uses, struct profile *profile, struct err *err)
{
    AUTO(spool_reader_done) struct spool_reader reader = {.buffer = NULL};
    struct use last = {.count = 0};
    uint64_t count = 0; /* of the last one's entity and network */

    spool_reader_init(&reader, uses);
    for (;;) {
        const struct use *use;
        const void *next;

        TRY(spool_next(&reader, &next, err));
        use = next;
        if (count > 0 && (use == NULL || by_entity(use, &last, NULL) != 0)) {
            while (profile->entities < last.entity)
                end_entity(profile);
            add_network(profile, last.network, count);
            count = 0;
        }
        if (use == NULL)
            return ERR_NONE;
        last = *use;
        count += use->count;
        profile->learned->observations[use->entity] += use->count;
    }
}

enum err_code profiler_end(struct profiler *profiler, size_t entity_count, struct learned *ret,
                           struct err *err)
{
    static const uint8_t DIGITS[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const struct spool_order order = {
        .compare = by_entity, .digits = DIGITS, .digit_count = sizeof DIGITS};
    AUTO(own_freep) struct profile *profile = own_alloc(sizeof *profile);

    ret->observations = own_array(entity_count + 1, sizeof(uint64_t));
    ret->network_starts = own_array(entity_count + 1, sizeof(uint64_t));
    ret->networks = own_array(1, sizeof *ret->networks);
    *profile = (struct profile){.learned = ret, .capacity = 1};
    TRY(spool_sort(&profiler->uses, &order, err));
    TRY(read_uses(&profiler->uses, profile, err));
    while (profile->entities < entity_count)
        end_entity(profile);
    return ERR_NONE;
}
