#pragma once
/* Pairs that are counted one by one, and what a look-up and the profiles tell of them. */
#include "fixture.h"

#include "base/hash.h"
#include "store/observation_chunk.h"
#include "store/pair.h"
#include "store/pair_run.h"
#include "store/profile.h"

enum { DAYS = 6 };
static int64_t entity_events[7][DAYS], address_events[400][DAYS]; /* by day since T0's */
enum { ENTITIES = 7, ADDRESSES = 400, SPECS = 2, BATCH = 1200, ROUNDS = 40, STEPS_MAX = 10000 };
static const struct pair_sizes SMALL = {
    .run_rows = 2500, .rest_rows = 1000, .fan = 3, .step_rows = 700, .chunk_rows = 16};
static const char *const SPEC_NAMES[SPECS] = {"vpc-egress", "dns-answer"};

static struct counted { /* one by one */
    int64_t sightings, events, first, last;
    double score;
} counted[ENTITIES][ADDRESSES][SPECS];
static struct scored_pair pairs[BATCH];
static struct rng rng;

static struct pair_progress progress;
static bool rest;

static inline void forget(void)
{
    rest = false;
    (void)memset(counted, 0, sizeof counted);
    (void)memset(entity_events, 0, sizeof entity_events);
    (void)memset(address_events, 0, sizeof address_events);
}

static inline enum err_code step_job(struct db *db, void *sizes, struct err *failure)
{
    return pair_step(db, sizes, rest, &progress, failure);
}

static inline bool step_of(struct pair_sizes sizes)
{
    CHECK_OK(run_job(step_job, &sizes));
    return progress.more;
}

static inline bool step(void)
{
    return step_of(SMALL);
}

static inline void merge_all(void)
{
    int steps = 0;

    while (step())
        CHECK(++steps < STEPS_MAX);
}

/* Every third address is of IPv6. */
static inline struct ip address(size_t n)
{
    struct ip ip = {.bytes = {0x20, 0x01, 0x0d, 0xb8, [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n}};

    return n % 3 != 0 ? ip_from_v4(0x0a000000u + (uint32_t)n * 77) : ip;
}

static const char *entity(size_t n)
{
    static char names[ENTITIES][8];

    (void)snprintf(names[n], sizeof names[n], "i-%d", (int)n);
    return names[n];
}

static inline void count(size_t e, size_t a, size_t s, const struct scored_pair *pair)
{
    struct counted *c = &counted[e][a][s];
    int64_t day = pair->last_ms / DAY_MS - T0 / DAY_MS;

    CHECK(day >= 0 && day < DAYS);
    entity_events[e][day] += (int64_t)pair->count;
    address_events[a][day] += (int64_t)pair->count;
    if (c->sightings++ == 0 || pair->first_ms < c->first)
        c->first = pair->first_ms;
    c->events += (int64_t)pair->count;
    if (pair->last_ms > c->last) {
        c->last = pair->last_ms;
        c->score = pair->score;
    }
}

/* Some addresses often, most seldom; times all different, on three days, many past midnight. */
static inline void given_batch_of(int round, size_t first_entity, size_t entities)
{
    for (int i = 0; i < BATCH; i++) {
        size_t e = first_entity + (size_t)rng_below(&rng, entities);
        size_t s = (size_t)rng_below(&rng, SPECS);
        size_t a = (size_t)rng_below(&rng, rng_below(&rng, 2) == 0 ? 5 : ADDRESSES);
        int64_t n = (int64_t)round * BATCH + i;

        pairs[i] = usual(entity(e), "10.0.0.0");
        pairs[i].spec = SPEC_NAMES[s];
        pairs[i].ip = address(a);
        pairs[i].first_ms = T0 + n + (int64_t)rng_below(&rng, 3) * DAY_MS;
        pairs[i].last_ms = pairs[i].first_ms + (int64_t)rng_below(&rng, 2000) * BATCH * ROUNDS;
        pairs[i].count = 1 + rng_below(&rng, 9);
        pairs[i].score = -1 - (double)n / 7;
        count(e, a, s, &pairs[i]);
    }
    (void)ingest(pairs, BATCH);
}

static inline void given_batch(int round)
{
    given_batch_of(round, 0, ENTITIES);
}

static inline struct pair_lookup look(size_t e, size_t a)
{
    struct ip ip = address(a);
    struct pair_lookup found;

    CHECK_OK(pair_look_up(store.reader, &store.arena, entity(e), &ip, clock_mono_ms() + 60000,
                          &found, &err));
    CHECK(!found.partial);
    return found;
}

static inline void check_pair(size_t e, size_t a)
{
    struct pair_lookup found = look(e, a);
    size_t specs = 0;

    for (size_t s = 0; s < SPECS; s++) {
        const struct counted *c = &counted[e][a][s];
        const struct pair_seen *seen = NULL;

        for (size_t i = 0; i < found.count; i++)
            if (strcmp(found.items[i].spec, SPEC_NAMES[s]) == 0)
                seen = &found.items[i];
        specs += c->sightings > 0;
        CHECK((seen != NULL) == (c->sightings > 0));
        if (seen != NULL)
            CHECK(seen->sightings == c->sightings && seen->observations == c->events &&
                  seen->first == c->first && seen->last == c->last && seen->score == c->score);
    }
    CHECK(found.count == specs);
}

static inline void check_all(void)
{
    for (size_t e = 0; e < ENTITIES; e++)
        for (size_t a = 0; a < ADDRESSES; a++)
            check_pair(e, a);
    arena_reset(&store.arena);
}

static inline void add_counted(struct counted *sum, const struct counted *c)
{
    if (c->sightings == 0)
        return;
    if (sum->sightings == 0 || c->first < sum->first)
        sum->first = c->first;
    if (c->last > sum->last)
        sum->last = c->last;
    sum->sightings += c->sightings;
    sum->events += c->events;
}

static inline struct counted pair_counted(size_t e, size_t a)
{
    struct counted sum = {0};

    for (size_t s = 0; s < SPECS; s++)
        add_counted(&sum, &counted[e][a][s]);
    return sum;
}

static inline void check_profile(const struct profile *profile, const struct counted *sum,
                                 int64_t partners, const int64_t events[static DAYS])
{
    int64_t first_day = T0 / DAY_MS - profile->since / DAY_MS;

    CHECK(!profile->partial && profile->partner_count == partners);
    CHECK(profile->sightings == sum->sightings && profile->observations == sum->events);
    CHECK(sum->sightings == 0 || (profile->first == sum->first && profile->last == sum->last));
    for (int64_t day = 0; day < PROFILE_DAYS; day++)
        CHECK(profile->events[day] ==
              (day >= first_day && day < first_day + DAYS ? events[day - first_day] : 0));
}

static inline void check_partner(const struct profile_partner *partner, const struct counted *c)
{
    CHECK(partner->sightings == c->sightings && partner->observations == c->events);
    CHECK(partner->first == c->first && partner->last == c->last);
}

static inline void check_entity(size_t e)
{
    struct counted sum = {0};
    struct profile profile;
    int64_t partners = 0;

    for (size_t a = 0; a < ADDRESSES; a++) {
        struct counted c = pair_counted(e, a);

        add_counted(&sum, &c);
        partners += c.sightings > 0;
    }
    CHECK_OK(profile_of_entity(store.reader, &store.arena, entity(e), clock_mono_ms() + 60000,
                               &profile, &err));
    check_profile(&profile, &sum, partners, entity_events[e]);
    for (size_t i = 0; i < profile.partners_given; i++)
        for (size_t a = 0; a < ADDRESSES; a++) {
            struct ip ip = address(a);
            struct counted c = pair_counted(e, a);

            if (ip_equal(&ip, &profile.partners[i].ip))
                check_partner(&profile.partners[i], &c);
        }
}

static inline void check_address(size_t a)
{
    struct counted sum = {0};
    struct ip ip = address(a);
    struct profile profile;
    int64_t partners = 0;

    for (size_t e = 0; e < ENTITIES; e++) {
        struct counted c = pair_counted(e, a);

        add_counted(&sum, &c);
        partners += c.sightings > 0;
    }
    CHECK_OK(
        profile_of_ip(store.reader, &store.arena, &ip, clock_mono_ms() + 60000, &profile, &err));
    check_profile(&profile, &sum, partners, address_events[a]);
    CHECK(profile.partners_given == (size_t)partners);
    for (size_t i = 0; i < profile.partners_given; i++) {
        struct counted c = pair_counted((size_t)(profile.partners[i].entity[2] - '0'), a);

        check_partner(&profile.partners[i], &c);
    }
}

static inline void check_profiles(void)
{
    for (size_t e = 0; e < ENTITIES; e++)
        check_entity(e);
    for (size_t a = 0; a < ADDRESSES; a += 41)
        check_address(a);
    for (size_t a = 0; a < 5; a++)
        check_address(a);
    arena_reset(&store.arena);
}

static const char *fault(void)
{
    static char text[256];

    text[0] = '\0';
    CHECK_OK(pair_check(store.reader, text, &err));
    return text;
}

static inline int64_t held(enum pair_order order)
{
    return sql_int(order == PAIRS_BY_ENTITY
                       ? "SELECT COALESCE(CAST(SUM(sightings) AS BIGINT), 0) FROM pair_run"
                         " WHERE state = 1 AND by_address = 0"
                       : "SELECT COALESCE(CAST(SUM(sightings) AS BIGINT), 0) FROM pair_run"
                         " WHERE state = 1 AND by_address = 1") +
           sql_int("SELECT COALESCE(CAST(SUM(rows) AS BIGINT), 0) FROM pair_source");
}
