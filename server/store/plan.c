#include "store/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "store/db.h"
#include "store/db_backend.h"

enum { PLAN_SQL_BYTES_MAX = 1 << 16, PLAN_DETAIL_COLUMN = 3 };

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
    {SQL_CHUNK_DAY, "SCAN CONSTANT ROW", "of no table"},
    {SQL_PAIR_RUNS, "SCAN pair_run", "some dozens"},
    {SQL_PAIR_RUN_MAKING, "SCAN pair_run", "some dozens"},
    {SQL_PAIR_RUN_MERGED, "SCAN pair_run", "some dozens"},
    {SQL_PAIR_RUNS_READY, "SCAN r", "some dozens"},
    {SQL_PAIR_RUNS_READY, "SCAN m", "some dozens"},
    {SQL_PAIR_RUNS_CROWDED, "SCAN pair_run", "some dozens"},
    {SQL_PAIR_RUNS_CLAIM, "SCAN pair_run", "some dozens"},
    {SQL_PAIR_RUNS_RELEASE, "SCAN pair_run", "some dozens"},
    {SQL_PAIR_RUNS_OF_RUN, "SCAN pair_run", "some dozens"},
    {SQL_PAIR_RUNS_DROP, "SCAN pair_run", "some dozens"},
    {SQL_PAIR_CHUNKS_SWEEP, "SCAN r", "some dozens"},
    {SQL_ADDRESS_CHUNKS_SWEEP, "SCAN r", "some dozens"},
    {SQL_PAIR_BESIDE, "SCAN pair_run", "some dozens"},
    {SQL_PAIR_SOURCES_ALL, "SCAN pair_source", "those in no run yet"},
    {SQL_CHECK_PAIR_SOURCES, "SCAN s", "those in no run yet"},
    {SQL_PAIR_RUNS_SWEEP, "SCAN pair_run", "some dozens"},
    {SQL_PAIR_SOURCES_DROP, "SCAN pair_source", "those in no run yet"},
    {SQL_CHECK_PAIR_RUNS, "SCAN pair_run", "some dozens"},
    {SQL_MODEL_LIST, "SCAN model", "small"},
    {SQL_MODEL_SEAT, "SCAN model", "small"},
    {SQL_MODEL_SEATS, "SCAN model", "small"},
    {SQL_MODEL_OF_PATH, "SCAN model", "small"},
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
    {SQL_RETAIN_CHANGES_THROUGH, "SCAN change", "its key, a step of rows"},
    {SQL_RETAIN_FINDING, "SCAN o", "its key backwards, one row"},
    {SQL_RETAIN_CHANGE_COUNT, "SCAN c", "its key, up to the first that is kept"},
    {SQL_RETAIN_OBJECT_COUNT, "SCAN o", "counts them, when a person asks"},
    {SQL_RETAIN_DIFFERENCES, "SCAN difference", "a step of rows"},
    {SQL_RETAIN_START_CLEAR, "SCAN change_start", "one row"},
    {SQL_ARCHIVE_HAS, "SCAN archive", "a row for each object"},
    {SQL_ARCHIVE_SUM, "SCAN archive", "a row for each object"},
    {SQL_CHANGE_START, "SCAN change_start", "one row"},
    {SQL_CHECK_ENGINE, "SCAN pragma_integrity_check", "reads everything"},
    {SQL_CHECK_FOREIGN_KEYS, "SCAN f", "reads everything"},
    {SQL_CHECK_INDEX, "SCAN sqlite_schema", "small"},
    {SQL_CHECK_FINDINGS, "SCAN f", "checks every row"},
    {SQL_CHECK_FINDING_SEQ, "SCAN f", "checks every row"},
    {SQL_CHECK_FINDING_SEQ, "SCAN s", "one row"},
    {SQL_SESSION_PURGE, "SCAN session", "small"},
    {SQL_NOTICE_COUNT, "SCAN notice", "bounded, and counts them"},
    {SQL_COUNTER_LIST, "SCAN counter", "small"},
    {SQL_ARRIVAL_SOURCES, "SCAN s", "small"},
    {SQL_ARRIVAL_SOURCES, "SCAN n", "of a day"},
    {SQL_WORKER_LIST, "SCAN worker", "small"},
    {SQL_WORKER_FORGET, "SCAN worker", "small"},
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

enum err_code plan_steps(struct db *db, enum sql_id sql, plan_visit *visit, void *context,
                         struct err *err)
{
    const struct db_backend *backend = db_backend(db);
    AUTO(str_done) struct str text = {0};
    void *statement = NULL;
    enum db_step outcome;

    str_init(&text, PLAN_SQL_BYTES_MAX);
    str_addf(&text, "EXPLAIN QUERY PLAN %s", SQL_STATEMENTS[sql].text);
    TRY(str_check(&text, "a statement", err));
    TRY(backend->prepare(db_handle(db), SQL_STATEMENTS[sql].name, text.text, &statement, err));
    while ((outcome = backend->step(db_handle(db), statement, err)) == DB_STEP_ROW)
        visit(context, sql, backend->column_text(statement, PLAN_DETAIL_COLUMN));
    backend->finalize(statement);
    return outcome == DB_STEP_ERROR ? err->code : ERR_NONE;
}

static void check_step(void *context, enum sql_id sql, const char *detail)
{
    struct plan_result *result = context;

    if (!is_search(detail))
        return;
    result->scans++;
    if (!is_allowed(sql, detail) && result->faults++ == 0)
        (void)snprintf(result->first, sizeof result->first, "%s: %s", SQL_STATEMENTS[sql].name,
                       detail);
}

enum err_code plan_check(struct db *db, struct plan_result *ret, bool *ret_known, struct err *err)
{
    *ret = (struct plan_result){.statements = SQL__MAX};
    *ret_known = db_backend(db) == &DB_SQLITE;
    for (int i = 0; *ret_known && i < SQL__MAX; i++)
        TRY(plan_steps(db, (enum sql_id)i, check_step, ret, err));
    return ERR_NONE;
}
