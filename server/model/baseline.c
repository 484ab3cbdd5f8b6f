/* Baselines from a sorted list of what was seen. */
#include "model/baseline.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "model/asn.h"
#include "model/ip_encoder.h"

const char *const BASELINE_WORDS[] = {"seen", "lcp", "backoff", "asn", NULL};

struct sighting {
    uint64_t entity; /* hash */
    struct ip ip;
};
struct baseline {
    struct sighting *sightings; /* in order, with repetitions */
    size_t count;
    const struct asn_table *asn; /* or NULL */
    int64_t *systems;            /* of the sightings */
    uint64_t *everyones;         /* sightings in each system */
};

static int by_entity_and_ip(const void *a, const void *b)
{
    const struct sighting *x = a, *y = b;

    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return ip_compare(&x->ip, &y->ip);
}

static int64_t system_of(const struct asn_table *asn, const struct ip *ip)
{
    int length;
    uint64_t key = prefix_key(ip, &length);

    return asn_find(asn, length == PREFIX_BITS_V6, key);
}

static void find_systems(struct baseline *baseline, const struct asn_table *asn)
{
    baseline->asn = asn;
    baseline->systems = own_array(baseline->count + 1, sizeof *baseline->systems);
    baseline->everyones = own_array(asn->system_count, sizeof *baseline->everyones);
    for (size_t i = 0; i < baseline->count; i++) {
        baseline->systems[i] = system_of(asn, &baseline->sightings[i].ip);
        if (baseline->systems[i] != ASN_NONE)
            baseline->everyones[baseline->systems[i]]++;
    }
}

struct baseline *baseline_new(const struct train_pair *pairs, size_t count,
                              const struct asn_table *asn)
{
    struct baseline *baseline = own_alloc(sizeof *baseline);

    baseline->sightings = own_array(count + 1, sizeof *baseline->sightings);
    baseline->count = count;
    for (size_t i = 0; i < count; i++)
        baseline->sightings[i] =
            (struct sighting){hash_bytes(pairs[i].entity, strlen(pairs[i].entity), 0), pairs[i].ip};
    qsort(baseline->sightings, count, sizeof *baseline->sightings, by_entity_and_ip);
    if (asn != NULL && asn->system_count > 0)
        find_systems(baseline, asn);
    return baseline;
}

void baseline_free(struct baseline *baseline)
{
    if (baseline == NULL)
        return;
    own_freep(&baseline->sightings);
    own_freep(&baseline->systems);
    own_freep(&baseline->everyones);
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

/* One sighting is lent to everyone's share. */
static double asn_share(const struct baseline *baseline, uint64_t entity, const struct ip *ip)
{
    struct sighting first = {entity, {{0}}};
    int64_t system = system_of(baseline->asn, ip);
    double all = 0, here = 0, everyones;

    for (size_t i = lower_bound(baseline, &first);
         i < baseline->count && baseline->sightings[i].entity == entity; i++) {
        all++;
        here += baseline->systems[i] == system;
    }
    if (system == ASN_NONE)
        return 0;
    everyones = (double)baseline->everyones[system] / (double)(baseline->count + 1);
    return (here + everyones) / (all + 1);
}

bool baseline_has(const struct baseline *baseline, enum baseline_kind kind)
{
    return kind != BASELINE_ASN || baseline->asn != NULL;
}

double baseline_score(const struct baseline *baseline, enum baseline_kind kind, const char *entity,
                      const struct ip *ip)
{
    uint64_t hash = hash_bytes(entity, strlen(entity), 0);

    if (kind == BASELINE_SEEN)
        return count_between(baseline, hash, ip, ip) > 0 ? 0 : 1;
    if (kind == BASELINE_LCP)
        return -deepest(baseline, hash, ip, 1);
    if (kind == BASELINE_ASN)
        return -asn_share(baseline, hash, ip);
    return backoff(baseline, hash, ip);
}
