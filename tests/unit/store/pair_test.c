/* Looking up a pair: what the table, the chunks and the findings hold of it together. */
#include "fixture.h"

#include "store/observation_chunk.h"
#include "store/pair.h"

enum { MANY = 2000 };
static struct scored_pair pairs[MANY];

/* Of one day, all different; every tenth of "i-0". */
static void given_day(int64_t day)
{
    static char names[10][8];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(names[i % 10], sizeof names[0], "i-%d", i % 10);
        pairs[i] = usual(names[i % 10], "10.0.0.0");
        pairs[i].ip = ip_from_v4(0x0a000000u + (uint32_t)i);
        pairs[i].first_ms = pairs[i].last_ms = T0 + day * DAY_MS;
        pairs[i].count = 2;
        pairs[i].score = (double)day - 9;
    }
    (void)ingest(pairs, MANY);
}

static struct pair_lookup look(const char *entity, const char *ip, int64_t ms)
{
    struct ip address = ip_of(ip);
    struct pair_lookup found;

    CHECK_OK(pair_look_up(store.reader, &store.arena, entity, &address, clock_mono_ms() + ms,
                          &found, &err));
    return found;
}

TEST(a_pair_is_found_wherever_it_is)
{
    struct scored_pair one = usual("i-0", "10.0.0.10"), other = flagged("i-0", "10.0.0.10");
    struct pair_lookup found;

    given_model("m1");
    for (int64_t day = 0; day < 3; day++)
        given_day(day);
    found = look("i-0", "10.0.0.10", 60000);
    CHECK(found.count == 1 && !found.partial && found.items[0].sightings == 3);
    CHECK(found.items[0].observations == 6 && found.items[0].score == -7);
    CHECK(found.items[0].first == T0 && found.items[0].last == T0 + 2 * (int64_t)DAY_MS);
    CHECK(found.items[0].threshold == 5 && found.items[0].finding == FIELD_NULL_INT);
    CHECK_STR(found.items[0].spec, "vpc-egress");
    CHECK_STR(found.items[0].model, "m1");

    one.last_ms = T0 + 3 * (int64_t)DAY_MS;
    (void)ingest(&one, 1);
    other.first_ms = T0 - 5;
    (void)ingest(&other, 1);
    found = look("i-0", "10.0.0.10", 60000);
    CHECK(found.count == 1 && found.items[0].sightings == 5 && found.items[0].observations == 8);
    CHECK(found.items[0].first == T0 - 5 && found.items[0].last == one.last_ms);
    CHECK(found.items[0].finding == 1 && found.items[0].score == 7.5);
}

TEST(what_was_not_seen_is_not_found)
{
    given_model("m1");
    given_day(0);
    CHECK(look("i-0", "10.0.0.11", 60000).count == 0); /* another entity's */
    CHECK(look("i-0", "2001:db8::1", 60000).count == 0);
    CHECK(look("nobody", "10.0.0.10", 60000).count == 0);
    for (int i = 0; i < MANY; i += 10) {
        char ip[IP_TEXT_BYTES];
        struct ip address = ip_from_v4(0x0a000000u + (uint32_t)i);

        (void)ip_format(ip, &address);
        CHECK(look("i-0", ip, 60000).count == 1);
    }
}

TEST(rows_are_found_after_the_last_ones_were_let_go)
{
    enum { FEW = 100 };

    given_model("m1");
    for (int i = 0; i < CHUNK_STAGED_ROWS; i += FEW) {
        for (int n = 0; n < FEW; n++)
            pairs[n] = usual("i-0", "10.0.0.1");
        (void)ingest(pairs, FEW);
    }
    (void)given_finding("i-1", "10.0.0.2"); /* its row is the last one there is */
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 1);
    sql_run("DELETE FROM observation");
    pairs[0] = usual("i-2", "10.0.0.3");
    (void)ingest(pairs, 1);
    CHECK(look("i-0", "10.0.0.1", 60000).items[0].sightings == CHUNK_STAGED_ROWS);
    CHECK(look("i-2", "10.0.0.3", 60000).count == 1);
}

TEST(a_deadline_makes_it_partial)
{
    struct pair_lookup found;

    given_model("m1");
    given_day(0);
    found = look("i-0", "10.0.0.10", -1);
    CHECK(found.partial && found.count == 0);
    CHECK(!look("i-0", "10.0.0.10", 60000).partial);
}

TEST(a_damaged_chunk_is_told)
{
    struct ip address = ip_of("10.0.0.10");
    struct pair_lookup found;

    given_model("m1");
    given_day(0);
    sql_run("UPDATE observation_chunk SET body = x'0102030405060708090a'");
    CHECK_ERR(ERR_CORRUPT, pair_look_up(store.reader, &store.arena, "i-0", &address,
                                        clock_mono_ms() + 60000, &found, &err));
    CHECK_HAS(err.text, "a chunk of observations was altered");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_pair_is_found_wherever_it_is),
        STORE_TEST(what_was_not_seen_is_not_found),
        STORE_TEST(rows_are_found_after_the_last_ones_were_let_go),
        STORE_TEST(a_deadline_makes_it_partial),
        STORE_TEST(a_damaged_chunk_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
