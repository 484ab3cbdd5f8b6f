/* How PostgreSQL can run each statement: none has to search a table from end to end that grows. It
 * plans by the sizes that it finds, so what it would do with these empty tables says nothing: plans
 * are asked for without values, and with whole tables out of the question (enable_seqscan), which
 * leaves them to the statements that have no other way. A walk through an index that no condition
 * bounds is the same search, unless a LIMIT ends it. */
#include "fixture.h"

enum { PLAN_TEXT_BYTES = 8192, DEPTH_MAX = 64, NODE_BYTES = 160 };

/* Statements that read tables whole, and why they may. */
static const struct {
    enum sql_id sql;
    const char *tables, *why;
} ALLOWED[] = {
    {SQL__MAX, "pair_run", "some dozens, whoever asks"},
    {SQL_ARCHIVE_HAS, "archive", "a row for each object"},
    {SQL_ARCHIVE_SUM, "archive", "a row for each object"},
    {SQL_CHANGE_START, "change_start", "one row"},
    {SQL_CHECK_FINDINGS, "finding", "checks every row"},
    {SQL_CHECK_FINDING_SEQ, "finding change", "checks every row"},
    {SQL_CHECK_LOST_SIGHTINGS, "observation finding", "checks every row"},
    {SQL_CHECK_PAIR_SOURCES, "pair_source observation_chunk", "checks every row"},
    {SQL_COMPARISON_LIST, "model", "small"},
    {SQL_FINDING_COUNT, "finding", "counts them, by an index alone"},
    {SQL_MODEL_BEFORE, "model", "small"},
    {SQL_MODEL_EMPTY_SEAT, "model", "small"},
    {SQL_MODEL_LIST, "model", "small"},
    {SQL_NOTICE_BURY_LOST, "notice", "those in hand alone"},
    {SQL_NOTICE_COUNT, "notice", "bounded, and counts them"},
    {SQL_OBJECT_COUNT, "object", "counts them"},
    {SQL_PAIR_SOURCES_ALL, "pair_source", "those in no run yet"},
    {SQL_RETAIN_DIFFERENCES, "difference", "a step of rows"},
    {SQL_RETAIN_OBJECT_COUNT, "object", "counts them, when a person asks"},
    {SQL_RETAIN_START_CLEAR, "change_start", "one row"},
    {SQL_SESSION_PURGE, "session", "small"},
    {SQL_SUMMARY_DAY, "spec", "small"},
    {SQL_SUMMARY_STATUS, "finding spec", "counts them, by an index alone"},
    {SQL_USER_COUNT, "user", "small"},
    {SQL_USER_OTHER_ADMINS, "user", "small"},
    {SQL_WORKER_FORGET, "worker", "small"},
    {SQL_WORKER_LIST, "worker", "small"},
};
static bool used[ARRAY_LEN(ALLOWED)];

struct node {
    size_t indent;
    char name[NODE_BYTES];
};
static struct {
    enum sql_id sql;
    struct node path[DEPTH_MAX]; /* from the root to the node that is read */
    size_t depth;
    bool bounded; /* the last node has a condition on its index */
    size_t searches, faults;
} plan;

static bool is_walk(const char *name)
{
    return strncmp(name, "Index ", 6) == 0 || strncmp(name, "Bitmap Index Scan", 17) == 0;
}

/* Nothing between it and the root has to see all of its rows before it gives one, and a LIMIT asks
 * for no more than it wants. */
static bool a_limit_ends_it(void)
{
    static const char *const WANT_ALL[] = {"Sort", "Aggregate", "GroupAggregate",  "HashAggregate",
                                           "Hash", "WindowAgg", "Bitmap Heap Scan"};

    for (size_t at = plan.depth - 1; at-- > 0;) {
        if (strcmp(plan.path[at].name, "Limit") == 0)
            return true;
        for (size_t i = 0; i < ARRAY_LEN(WANT_ALL); i++)
            if (strncmp(plan.path[at].name, WANT_ALL[i], strlen(WANT_ALL[i])) == 0)
                return false;
    }
    return false;
}

/* "Seq Scan on change c_1" reads change, "Bitmap Index Scan on change_of_finding" too. */
static bool reads(const char *name, const char *table, size_t length)
{
    const char *on = strstr(name, " on ");

    on = on != NULL ? on + 4 : "";
    on += *on == '"';
    return strncmp(on, table, length) == 0 && strchr("_ \"", on[length]) != NULL;
}

static bool is_of(size_t allowed)
{
    return ALLOWED[allowed].sql == plan.sql || ALLOWED[allowed].sql == SQL__MAX;
}

static bool is_allowed(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(ALLOWED); i++)
        for (const char *table = is_of(i) ? ALLOWED[i].tables : ""; *table != '\0';) {
            size_t length = strcspn(table, " ");

            if (reads(name, table, length))
                return used[i] = true;
            table += length + (table[length] == ' ');
        }
    return false;
}

static void judge_last_node(void)
{
    const char *name = plan.depth > 0 ? plan.path[plan.depth - 1].name : "";
    bool whole =
        strncmp(name, "Seq Scan", 8) == 0 || (is_walk(name) && !plan.bounded && !a_limit_ends_it());

    if (!whole || strstr(name, " on pg_") != NULL) /* the catalogue has as many rows as it has */
        return;
    plan.searches++;
    if (is_allowed(name))
        return;
    plan.faults++;
    print_error("%s: %s\n", SQL_STATEMENTS[plan.sql].name, name);
}

/* "      ->  Index Scan using finding_by_time on finding f" and the lines of its details. */
static void read_line(const char *line)
{
    size_t indent = strspn(line, " ");
    bool is_node = indent == 0 || strncmp(line + indent, "->  ", 4) == 0;

    if (strncmp(line + indent, "Index Cond:", 11) == 0)
        plan.bounded = true;
    if (!is_node)
        return;
    judge_last_node();
    while (plan.depth > 0 && plan.path[plan.depth - 1].indent >= indent)
        plan.depth--;
    CHECK(plan.depth < DEPTH_MAX);
    (void)snprintf(plan.path[plan.depth].name, NODE_BYTES, "%s",
                   line + indent + (indent > 0 ? 4 : 0));
    plan.path[plan.depth++].indent = indent;
    plan.bounded = false;
}

static const char *text_of(enum sql_id sql)
{
    const struct sql_statement *statement = &SQL_STATEMENTS[sql];

    return statement->postgres != NULL ? statement->postgres : statement->text;
}

static void each_line_of_plan(enum sql_id sql, void (*visit)(const char *line))
{
    const struct db_backend *backend = db_backend(store.db);
    char text[PLAN_TEXT_BYTES];
    void *statement = NULL;
    size_t length;

    (void)snprintf(text, sizeof text, "PREPARE asked AS %s", text_of(sql));
    CHECK_OK(db_script(store.db, text, &err));
    length = (size_t)snprintf(text, sizeof text, "EXPLAIN (COSTS OFF) EXECUTE asked");
    for (int i = 0; i < SQL_STATEMENTS[sql].parameters; i++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%sNULL%s", i == 0 ? "(" : ", ",
                             i + 1 == SQL_STATEMENTS[sql].parameters ? ")" : "");
    CHECK_OK(backend->prepare(db_handle(store.db), "explain", text, &statement, &err));
    while (backend->step(db_handle(store.db), statement, &err) == DB_STEP_ROW)
        visit(backend->column_text(statement, 0));
    backend->finalize(statement);
    CHECK_OK(db_script(store.db, "DEALLOCATE asked", &err));
}

static void read_plan(enum sql_id sql)
{
    plan.sql = sql;
    plan.depth = 0;
    each_line_of_plan(sql, read_line);
    judge_last_node();
}

TEST(no_statement_has_to_search_from_end_to_end)
{
    sql_run("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan");
    plan.searches = plan.faults = 0;
    for (int i = 0; i < SQL__MAX; i++)
        if (strncmp(text_of((enum sql_id)i), "COPY ", 5) != 0)
            read_plan((enum sql_id)i);
    CHECK(plan.faults == 0);
    CHECK(plan.searches > 0); /* plans are read as they are written */
    for (size_t i = 0; i < ARRAY_LEN(ALLOWED); i++)
        CHECK_CASE(ALLOWED[i].tables, used[i]);
}

static bool by_time, by_score, sorted;

static void note_order(const char *line)
{
    by_time |= strstr(line, "Index Scan Backward using finding_by_time ") != NULL;
    by_score |= strstr(line, "Index Scan Backward using finding_by_score ") != NULL;
    sorted |= strstr(line, "Sort") != NULL;
}

TEST(both_orders_of_the_queue_can_come_from_an_index)
{
    sql_run("SET enable_seqscan = off; SET enable_sort = off;"
            "SET plan_cache_mode = force_generic_plan");
    each_line_of_plan(SQL_FINDING_LIST_BY_TIME, note_order);
    CHECK(by_time && !by_score && !sorted);
    by_time = false;
    each_line_of_plan(SQL_FINDING_LIST_BY_SCORE, note_order);
    CHECK(by_score && !by_time && !sorted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(no_statement_has_to_search_from_end_to_end),
        STORE_TEST(both_orders_of_the_queue_can_come_from_an_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
