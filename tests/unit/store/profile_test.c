/* What is known of an entity and of an address, and what a deadline leaves of it. */
#include "fixture.h"

#include "store/profile.h"

enum { ROWS = 600, A_MINUTE_MS = 60 * 1000 };

/* ROWS of a day, enough to be packed: entities i-0 to i-2, addresses of two networks. */
static void given_days(int64_t days)
{
    struct scored_pair pairs[ROWS];
    char entities[3][16], ip[IP_TEXT_BYTES];

    for (int i = 0; i < 3; i++)
        (void)snprintf(entities[i], sizeof entities[i], "i-%d", i);
    for (int64_t day = 0; day < days; day++) {
        for (int i = 0; i < ROWS; i++) {
            (void)snprintf(ip, sizeof ip, "10.0.%d.%d", i % 2, i % 100);
            pairs[i] = usual(entities[i % 3], ip);
            pairs[i].first_ms = pairs[i].last_ms = T0 + day * DAY_MS + i;
            pairs[i].count = 2;
        }
        (void)ingest(pairs, ROWS);
    }
}

static struct profile profile_in(int64_t ms, const char *entity, const char *ip)
{
    struct profile profile;
    struct ip address = ip_of(ip != NULL ? ip : "::");
    int64_t until_ms = clock_mono_ms() + ms;

    CHECK_OK(entity != NULL
                 ? profile_of_entity(store.reader, &store.arena, entity, until_ms, &profile, &err)
                 : profile_of_ip(store.reader, &store.arena, &address, until_ms, &profile, &err));
    return profile;
}

TEST(an_entity_has_networks_and_an_address_entities)
{
    struct profile profile;

    given_model("m1");
    given_days(3);
    profile = profile_in(A_MINUTE_MS, "i-1", NULL);
    CHECK(!profile.partial && profile.complete_since == profile.since);
    CHECK(profile.sightings == ROWS && profile.observations == 2 * ROWS);
    CHECK(profile.network_count == 2 && profile.partner_count == 100);
    CHECK(profile.networks[0].addresses == 50 && profile.networks[1].addresses == 50);
    CHECK(profile.partners_given == PROFILE_PARTNERS);
    CHECK(profile.partners[0].last >= profile.partners[1].last);
    CHECK(profile.spec_count == 1 && profile.specs[0].observations == 2 * ROWS);
    for (int i = 0; i < PROFILE_DAYS; i++)
        CHECK(profile.events[i] == (i < PROFILE_DAYS - 3 ? 0 : 2 * ROWS / 3));
    profile = profile_in(A_MINUTE_MS, NULL, "10.0.1.1");
    CHECK(profile.partner_count == 3 && profile.sightings == 3 * ROWS / 100);
    CHECK_HAS(profile.partners[0].entity, "i-");
    CHECK(profile_in(A_MINUTE_MS, "nobody", NULL).sightings == 0);
    CHECK(profile_in(A_MINUTE_MS, NULL, "192.0.2.1").sightings == 0);
}

TEST(a_deadline_leaves_a_part_that_is_said_so)
{
    struct profile profile;

    given_model("m1");
    given_days(1);
    profile = profile_in(-1, "i-1", NULL);
    CHECK(profile.partial && profile.complete_since == profile.until);
    CHECK(profile.sightings == 0);
}

TEST(older_days_count_and_are_in_no_day)
{
    struct profile profile;
    int64_t events = 0;

    given_model("m1");
    given_days(PROFILE_DAYS + 2);
    profile = profile_in(A_MINUTE_MS, "i-2", NULL);
    CHECK(profile.sightings == (PROFILE_DAYS + 2) * ROWS / 3);
    CHECK(profile.first == T0 + 2 && profile.first < profile.since);
    CHECK(profile.until - profile.since == INT64_C(1) * PROFILE_DAYS * DAY_MS);
    for (int i = 0; i < PROFILE_DAYS; i++)
        events += profile.events[i];
    CHECK(events == 2 * PROFILE_DAYS * ROWS / 3);
}

/* Once by their findings, with their sightings' days. */
TEST(flagged_pairs_are_counted_once)
{
    struct scored_pair pair = flagged("i-1", "203.0.113.9");
    struct profile profile;

    given_model("m1");
    given_days(1);
    for (int64_t day = 0; day < 3; day++) {
        pair.first_ms = pair.last_ms = T0 + day * DAY_MS;
        pair.percentile = 99 - (double)day;
        (void)ingest(&pair, 1);
    }
    profile = profile_in(A_MINUTE_MS, "i-1", NULL);
    CHECK(profile.sightings == ROWS / 3 + 3 && profile.partner_count == 101);
    CHECK(profile.partners[0].sightings == 3 && profile.partners[0].finding == 1);
    CHECK(profile.partners[0].percentile == 99 && profile.partners[0].first == T0);
    CHECK(profile.flagged[PROFILE_DAYS - 1] == (int64_t)pair.count &&
          profile.events[PROFILE_DAYS - 1] == (int64_t)pair.count);
    profile = profile_in(A_MINUTE_MS, NULL, "203.0.113.9");
    CHECK(profile.sightings == 3 && profile.partner_count == 1);
    CHECK_STR(profile.partners[0].entity, "i-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(an_entity_has_networks_and_an_address_entities),
        STORE_TEST(a_deadline_leaves_a_part_that_is_said_so),
        STORE_TEST(older_days_count_and_are_in_no_day),
        STORE_TEST(flagged_pairs_are_counted_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
