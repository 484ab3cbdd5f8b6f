/* How the engine means to run each statement: nothing large is searched from end to end, and both
 * orders of the queue come from an index. */
#include "fixture.h"

/* Statements that may scan a table, and why. */
static const struct {
    enum sql_id sql;
    const char *scans, *why;
} ALLOWED[] = {
    {SQL_CHANGE_CHAIN, "SCAN change", "verifies every row"},
    {SQL_FINDING_VERDICTS_LATELY, "SCAN change", "its key backwards, 5000 rows"},
    {SQL_CHANGE_LAST, "SCAN change", "its key backwards, one row"},
    {SQL_ROLLUP_FIRST, "SCAN rollup_hour", "its key, one row"},
    {SQL_ROLLUP_LAST, "SCAN rollup_hour", "its key backwards, one row"},
    {SQL_OBJECT_COUNT, "SCAN object", "counts them"},
    {SQL_MODEL_LIST, "SCAN model", "small"},
    {SQL_MODEL_SEAT, "SCAN model", "small"},
    {SQL_MODEL_SEATS, "SCAN model", "small"},
    {SQL_MODEL_BEFORE, "SCAN model", "small"},
    {SQL_MODEL_EMPTY_SEAT, "SCAN model", "small"},
    {SQL_COMPARISON_LIST, "SCAN c", "a row per day, spec and pair of models"},
    {SQL_COMPARISON_LIST, "SCAN s", "small"},
    {SQL_COMPARISON_LIST, "SCAN a", "small"},
    {SQL_COMPARISON_LIST, "SCAN h", "small"},
    {SQL_MODEL_INSERT, "SCAN finding", "only while a foreign key is owed, which none is"},
    {SQL_SPEC_INSERT, "SCAN model_spec", "small, and only while a foreign key is owed"},
    {SQL_USER_COUNT, "SCAN user", "small"},
    {SQL_USER_OTHER_ADMINS, "SCAN user", "small"},
    {SQL_TOKEN_LIST, "SCAN token", "its key backwards"},
    {SQL_TOKEN_FIND, "SCAN token", "small"},
    {SQL_SESSION_PURGE, "SCAN session", "small"},
};

static bool is_allowed(enum sql_id sql, const char *detail)
{
    for (size_t i = 0; i < ARRAY_LEN(ALLOWED); i++)
        if (ALLOWED[i].sql == sql &&
            strncmp(detail, ALLOWED[i].scans, strlen(ALLOWED[i].scans)) == 0)
            return true;
    return false;
}

/* Walking an index in the order wanted is no search from end to end: a limit ends it. "newest" is
 * what a bounded subquery gave. */
static bool is_search(const char *detail)
{
    return strncmp(detail, "SCAN ", 5) == 0 && strcmp(detail, "SCAN newest") != 0 &&
           strstr(detail, "USING INDEX") == NULL && strstr(detail, "USING COVERING INDEX") == NULL;
}

typedef void visit(enum sql_id sql, const char *detail);

static void each_step_of_plan(enum sql_id sql, visit *call)
{
    const struct db_backend *backend = db_backend(store.db);
    void *handle = db_handle(store.db), *statement = NULL;
    char *text = arena_printf(&store.arena, "EXPLAIN QUERY PLAN %s", SQL_STATEMENTS[sql].text);

    CHECK_OK(backend->prepare(handle, SQL_STATEMENTS[sql].name, text, &statement, &err));
    while (backend->step(handle, statement, &err) == DB_STEP_ROW)
        call(sql, backend->column_text(statement, 3));
    backend->finalize(statement);
}

static int searches, unallowed;

static void check_step(enum sql_id sql, const char *detail)
{
    if (!is_search(detail))
        return;
    searches++;
    if (is_allowed(sql, detail))
        return;
    print_error("%s: %s\n", SQL_STATEMENTS[sql].name, detail);
    unallowed++;
}

TEST(no_statement_searches_from_end_to_end)
{
    searches = unallowed = 0;
    for (int i = 0; i < SQL__MAX; i++)
        each_step_of_plan((enum sql_id)i, check_step);
    CHECK(unallowed == 0);
    CHECK(searches > 0); /* the plans are read as they are written */
}

static bool by_time, by_score, sorted;

static void note_order(UNUSED enum sql_id sql, const char *detail)
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

static bool partial;

static void note_partial(UNUSED enum sql_id sql, const char *detail)
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

/* Each index slows the writing of observations to a fraction; this one holds flagged rows only. */
TEST(observations_have_one_index_of_flagged_rows)
{
    CHECK(sql_int("SELECT COUNT(*) FROM pragma_index_list('observation')") == 1);
    CHECK(sql_int("SELECT partial FROM pragma_index_list('observation')") == 1);
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
        STORE_TEST(sightings_come_from_the_flagged_index),
        STORE_TEST(observations_have_one_index_of_flagged_rows),
        STORE_TEST(readers_prepare_no_statement_that_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
