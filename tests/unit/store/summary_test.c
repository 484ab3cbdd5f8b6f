/* The state of the queue at a glance. */
#include "fixture.h"

#include "store/summary.h"

static struct summary summary_of(const char *spec)
{
    struct summary summary;

    CHECK_OK(summary_get(store.reader, &store.arena, spec, &summary, &err));
    return summary;
}

static void given_at(const char *spec, const char *entity, const char *ip, int64_t time_ms)
{
    struct scored_pair pair = flagged(entity, ip);

    pair.spec = spec;
    pair.first_ms = pair.last_ms = time_ms;
    (void)ingest(&pair, 1);
}

TEST(an_empty_store_is_all_zero)
{
    struct summary s = summary_of(NULL);

    for (int i = 0; i < 4; i++)
        CHECK(s.by_status[i] == 0 && s.open_by_age[i] == 0);
    CHECK(s.newest_observation == FIELD_NULL_INT && s.first_observation == FIELD_NULL_INT);
    CHECK(s.top_entity_count == 0 && s.top_network_count == 0 && s.spec_count == 0);
    CHECK(s.objects_failed == 0 && s.last_seq == 0);
}

/* Measured from the end of the newest hour with data. */
TEST(ages_are_those_of_open_findings)
{
    const int64_t newest = T0 - T0 % HOUR_MS, now = newest + HOUR_MS;
    struct summary s;

    given_model("m1");
    given_at("vpc-egress", "i-1", "203.0.113.1", newest);
    given_at("vpc-egress", "i-1", "203.0.113.2", now - 2 * INT64_C(3600000));
    given_at("vpc-egress", "i-1", "203.0.113.3", now - DAY_MS + 1);
    given_at("vpc-egress", "i-1", "203.0.113.4", now - DAY_MS);
    given_at("vpc-egress", "i-1", "203.0.113.5", now - INT64_C(7) * DAY_MS);
    given_at("vpc-egress", "i-1", "203.0.113.6", now - INT64_C(9) * DAY_MS);
    triage(6, FINDING_RESOLVED, -1);
    triage(2, FINDING_IN_PROGRESS, -1);
    s = summary_of(NULL);
    CHECK(s.by_status[FINDING_NEW] == 4 && s.by_status[FINDING_IN_PROGRESS] == 1);
    CHECK(s.by_status[FINDING_RESOLVED] == 1 && s.by_status[FINDING_SUPPRESSED] == 0);
    CHECK(s.open_by_age[0] == 0 && s.open_by_age[1] == 3);
    CHECK(s.open_by_age[2] == 1 && s.open_by_age[3] == 1);
    CHECK(s.newest_observation == newest);
    CHECK(s.flagged_24h == 4 && s.observations_24h == 4); /* the hours from now - 24 h on */
    CHECK(s.last_seq == sql_int("SELECT MAX(seq) FROM change"));
}

TEST(the_first_hour_is_younger_than_one)
{
    given_model("m1");
    given_at("vpc-egress", "i-1", "203.0.113.1", T0 - T0 % HOUR_MS + 1);
    CHECK(summary_of(NULL).open_by_age[0] == 1);
}

TEST(tops_are_of_open_findings_most_first)
{
    struct summary s;
    char text[CIDR_TEXT_BYTES];

    given_model("m1");
    given_at("vpc-egress", "few", "203.0.113.1", T0);
    given_at("vpc-egress", "many", "203.0.113.2", T0);
    given_at("vpc-egress", "many", "203.0.113.3", T0);
    given_at("vpc-egress", "many", "198.51.100.3", T0);
    given_at("vpc-egress", "six", "2001:db8:1:2::3", T0);
    given_at("vpc-egress", "six", "2001:db8:1:ffff::4", T0);
    given_at("vpc-egress", "gone", "192.0.2.1", T0);
    triage(7, FINDING_RESOLVED, -1);
    s = summary_of(NULL);
    CHECK(s.top_entity_count == 3);
    CHECK_STR(s.top_entities[0].entity, "many");
    CHECK(s.top_entities[0].findings == 3 && s.top_entities[0].max_percentile == 99.9);
    CHECK_STR(s.top_entities[1].entity, "six");
    CHECK(s.top_network_count == 3);
    (void)cidr_format(text, &s.top_networks[0].network);
    CHECK_STR(text, "203.0.113.0/24");
    CHECK(s.top_networks[0].findings == 3 && s.top_networks[0].entities == 2);
    (void)cidr_format(text, &s.top_networks[1].network);
    CHECK_STR(text, "2001:db8:1::/48");
    CHECK(s.top_networks[1].findings == 2 && s.top_networks[1].entities == 1);
    (void)cidr_format(text, &s.top_networks[2].network);
    CHECK_STR(text, "198.51.100.0/24");
}

TEST(tops_have_an_end)
{
    char entity[32], ip[32];

    given_model("m1");
    for (int i = 0; i < SUMMARY_TOP + 3; i++) {
        (void)snprintf(entity, sizeof entity, "i-%d", i);
        (void)snprintf(ip, sizeof ip, "203.0.%d.1", i);
        given_at("vpc-egress", entity, ip, T0);
    }
    CHECK(summary_of(NULL).top_entity_count == SUMMARY_TOP);
    CHECK(summary_of(NULL).top_network_count == SUMMARY_TOP);
}

TEST(a_spec_is_a_filter)
{
    struct summary s;

    given_model("m1");
    given_at("vpc-egress", "i-1", "203.0.113.1", T0);
    given_at("dns-answer", "host", "198.51.100.1", T0);
    given_at("dns-answer", "host", "198.51.100.2", T0);
    s = summary_of("dns-answer");
    CHECK(s.by_status[FINDING_NEW] == 2 && s.top_entity_count == 1 && s.top_network_count == 1);
    CHECK_STR(s.top_entities[0].entity, "host");
    CHECK(s.flagged_24h == 2);
    CHECK(s.spec_count == 2); /* those there are to choose from */
    CHECK_STR(s.specs[0], "dns-answer");
    CHECK(summary_of("waf-client").by_status[FINDING_NEW] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(an_empty_store_is_all_zero),
        STORE_TEST(ages_are_those_of_open_findings),
        STORE_TEST(the_first_hour_is_younger_than_one),
        STORE_TEST(tops_are_of_open_findings_most_first),
        STORE_TEST(tops_have_an_end),
        STORE_TEST(a_spec_is_a_filter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
