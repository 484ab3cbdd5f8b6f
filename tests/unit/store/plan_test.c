/* How the engine means to run each statement: nothing large is searched from end to end, and both
 * orders of the queue come from an index. */
#include "fixture.h"

#include "store/plan.h"

TEST(no_statement_searches_from_end_to_end)
{
    struct plan_result result;
    bool known;

    CHECK_OK(plan_check(store.db, &result, &known, &err));
    CHECK(known && result.statements == SQL__MAX);
    CHECK_STR(result.first, "");
    CHECK(result.faults == 0);
    CHECK(result.scans > 0); /* the plans are read as they are written */
}

static void each_step_of_plan(enum sql_id sql, plan_visit *visit)
{
    CHECK_OK(plan_steps(store.db, sql, visit, NULL, &err));
}

static bool by_time, by_score, sorted;

static void note_order(UNUSED void *context, UNUSED enum sql_id sql, const char *detail)
{
    by_time |= strstr(detail, "USING INDEX finding_by_time (last_seen_ms") != NULL;
    by_score |= strstr(detail, "USING INDEX finding_by_score (rank") != NULL;
    sorted |= strstr(detail, "USE TEMP B-TREE") != NULL;
}

TEST(both_orders_of_the_queue_come_from_an_index)
{
    by_time = by_score = sorted = false;
    each_step_of_plan(SQL_FINDING_LIST_BY_TIME, note_order);
    CHECK(by_time && !by_score && !sorted);
    by_time = false;
    each_step_of_plan(SQL_FINDING_LIST_BY_SCORE, note_order);
    CHECK(by_score && !by_time && !sorted);
}

static const char *wanted_index;
static bool from_index;

static void note_index(UNUSED void *context, UNUSED enum sql_id sql, const char *detail)
{
    from_index |= strstr(detail, wanted_index) != NULL;
    sorted |= strstr(detail, "USE TEMP B-TREE") != NULL;
}

TEST(the_findings_of_one_come_from_indexes_of_their_own)
{
    static const struct {
        enum sql_id sql;
        const char *index;
    } CASES[] = {
        {SQL_FINDING_LIST_OF_ENTITY_BY_TIME,
         "finding_of_entity_by_time (entity_id=? AND last_seen_ms>? AND last_seen_ms<?)"},
        {SQL_FINDING_LIST_OF_ENTITY_BY_SCORE,
         "finding_of_entity_by_score (entity_id=? AND rank>? AND (rank,score)<(?,?))"},
        {SQL_FINDING_LIST_OF_IP_BY_TIME,
         "finding_of_ip_by_time (ip=? AND last_seen_ms>? AND last_seen_ms<?)"},
        {SQL_FINDING_LIST_OF_IP_BY_SCORE,
         "finding_of_ip_by_score (ip=? AND rank>? AND (rank,score)<(?,?))"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        wanted_index = CASES[i].index;
        from_index = sorted = false;
        each_step_of_plan(CASES[i].sql, note_index);
        CHECK_CASE(CASES[i].index, from_index && !sorted);
    }
}

static bool partial;

static void note_partial(UNUSED void *context, UNUSED enum sql_id sql, const char *detail)
{
    partial |= strstr(detail, "observation_flagged") != NULL;
}

TEST(sightings_come_from_the_flagged_index)
{
    partial = false;
    each_step_of_plan(SQL_SIGHTING_LIST, note_partial);
    CHECK(partial);
    partial = false;
    each_step_of_plan(SQL_SIGHTING_BY_TIME, note_partial);
    CHECK(partial);
}

/* Each index slows the writing of observations to a fraction; these hold flagged rows only. */
TEST(observations_have_indexes_of_flagged_rows_alone)
{
    CHECK(sql_int("SELECT COUNT(*) FROM pragma_index_list('observation')") == 2);
    CHECK(sql_int("SELECT SUM(partial) FROM pragma_index_list('observation')") == 2);
}

TEST(readers_prepare_no_statement_that_writes)
{
    for (int i = 0; i < SQL__MAX; i++) {
        const char *text = SQL_STATEMENTS[i].text;

        if (strncmp(text, "SELECT", 6) != 0)
            CHECK_CASE(SQL_STATEMENTS[i].name, SQL_STATEMENTS[i].write);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(no_statement_searches_from_end_to_end),
        STORE_TEST(both_orders_of_the_queue_come_from_an_index),
        STORE_TEST(the_findings_of_one_come_from_indexes_of_their_own),
        STORE_TEST(sightings_come_from_the_flagged_index),
        STORE_TEST(observations_have_indexes_of_flagged_rows_alone),
        STORE_TEST(readers_prepare_no_statement_that_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
