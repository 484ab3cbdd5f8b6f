/* Baselines from a sorted list of what was seen. */
#include "model/baseline.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/ip_encoder.h"

const char *const BASELINE_WORDS[] = {"seen", "lcp", "backoff", NULL};

struct sighting {
    uint64_t entity; /* hash */
    struct ip ip;
};
struct baseline {
    struct sighting *sightings; /* in order, with repetitions */
    size_t count;
};

static int by_entity_and_ip(const void *a, const void *b)
{
    const struct sighting *x = a, *y = b;

    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return ip_compare(&x->ip, &y->ip);
}

struct baseline *baseline_new(const struct train_pair *pairs, size_t count)
{
    struct baseline *baseline = own_alloc(sizeof *baseline);

    baseline->sightings = own_array(count + 1, sizeof *baseline->sightings);
    baseline->count = count;
    for (size_t i = 0; i < count; i++)
        baseline->sightings[i] =
            (struct sighting){hash_bytes(pairs[i].entity, strlen(pairs[i].entity), 0), pairs[i].ip};
    qsort(baseline->sightings, count, sizeof *baseline->sightings, by_entity_and_ip);
    return baseline;
}

void baseline_free(struct baseline *baseline)
{
    if (baseline == NULL)
        return;
    own_freep(&baseline->sightings);
    own_freep(&baseline);
}

void baseline_freep(struct baseline **baseline)
{
    baseline_free(*baseline);
    *baseline = NULL;
}

/* The first sighting not before this one. */
static size_t lower_bound(const struct baseline *baseline, const struct sighting *wanted)
{
    size_t low = 0, high = baseline->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (by_entity_and_ip(&baseline->sightings[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The entity's sightings from low to high, both included. */
static size_t count_between(const struct baseline *baseline, uint64_t entity, const struct ip *low,
                            const struct ip *high)
{
    struct sighting first = {entity, *low}, last = {entity, *high};
    size_t end = lower_bound(baseline, &last);

    while (end < baseline->count && by_entity_and_ip(&baseline->sightings[end], &last) == 0)
        end++;
    return end - lower_bound(baseline, &first);
}

static size_t count_within(const struct baseline *baseline, uint64_t entity, const struct ip *ip,
                           int bits)
{
    struct cidr cidr = cidr_around(ip, bits);

    return count_between(baseline, entity, &cidr.low, &cidr.high);
}

/* The longest prefix, in steps, that the entity was seen in. */
static int deepest(const struct baseline *baseline, uint64_t entity, const struct ip *ip, int step)
{
    int bits = ip_is_v4(ip) ? 32 : 128;

    while (bits > 0 && count_within(baseline, entity, ip, bits) == 0)
        bits -= step;
    return bits;
}

static double backoff(const struct baseline *baseline, uint64_t entity, const struct ip *ip)
{
    int bits = deepest(baseline, entity, ip, IP_LEVEL_BITS);
    size_t all = count_within(baseline, entity, ip, 0);

    if (all == 0)
        return 1;
    return -bits - (double)count_within(baseline, entity, ip, bits) / (double)(all + 1);
}

double baseline_score(const struct baseline *baseline, enum baseline_kind kind, const char *entity,
                      const struct ip *ip)
{
    uint64_t hash = hash_bytes(entity, strlen(entity), 0);

    if (kind == BASELINE_SEEN)
        return count_between(baseline, hash, ip, ip) > 0 ? 0 : 1;
    if (kind == BASELINE_LCP)
        return -deepest(baseline, hash, ip, 1);
    return backoff(baseline, hash, ip);
}
