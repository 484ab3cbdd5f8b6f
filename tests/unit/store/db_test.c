/* Connections, rows and transactions: what every table stands on. */
#include "fixture.h"

#include "base/clock.h"

struct request_row {
    const char *digest, *result;
};
static const struct field REQUEST_ROW[] = {
    FIELD(struct request_row, digest, FIELD_TEXT, .flags = 0),
    FIELD(struct request_row, result, FIELD_TEXT, .flags = 0),
    FIELD_END,
};
static const struct field OTHER_ROW[] = {
    FIELD(struct request_row, result, FIELD_TEXT, .flags = 0),
    FIELD(struct request_row, digest, FIELD_TEXT, .flags = 0),
    FIELD_END,
};

static enum err_code put_request(const char *key)
{
    return db_exec(store.db, SQL_REQUEST_PUT,
                   PARAMS(P_TEXT("o"), P_TEXT(key), P_TEXT("d"), P_TEXT("{}"), P_INT(T0)), NULL,
                   &err);
}

static enum err_code get_request(struct db *db, const char *key, const struct field *fields,
                                 struct request_row *ret)
{
    return db_row(db, SQL_REQUEST_GET, PARAMS(P_TEXT("o"), P_TEXT(key)), fields, &store.arena, ret,
                  &err);
}

TEST(a_row_is_read_by_its_field_table)
{
    struct request_row row = {0};

    CHECK_OK(put_request("k"));
    CHECK_OK(get_request(store.reader, "k", REQUEST_ROW, &row));
    CHECK_STR(row.digest, "d");
    CHECK_STR(row.result, "{}");
    CHECK_ERR(ERR_NOT_FOUND, get_request(store.reader, "other", REQUEST_ROW, &row));
    CHECK_ERR(ERR_INTERNAL, get_request(store.reader, "k", OTHER_ROW, &row));
    CHECK_HAS(err.text, "REQUEST_GET: column 0 is not the field result");
}

TEST(nothing_is_lost_between_parameter_and_column)
{
    static const double REALS[] = {0.1, -1e300, 5e-324, 4.9};
    static const int64_t INTS[] = {0, -1, INT64_MAX, INT64_MIN + 1};
    struct scored_pair pair = flagged("entity '\"; \xc3\xa9", "2001:db8:ffff::1");
    struct finding finding;

    given_model("m1");
    for (size_t i = 0; i < ARRAY_LEN(REALS); i++) {
        pair.score = REALS[i];
        pair.ip.bytes[15]++;
        pair.first_ms = INTS[i];
        (void)ingest(&pair, 1);
        finding = finding_now((int64_t)i + 1);
        CHECK(finding.score == REALS[i] && finding.first_seen == INTS[i]);
        CHECK(ip_equal(&finding.ip, &pair.ip));
        CHECK_STR(finding.entity, pair.entity);
    }
}

TEST(a_reading_connection_cannot_write_and_sees_the_last_commit)
{
    AUTO(tx_done) struct tx tx = {0};
    struct request_row row;

    CHECK_ERR(ERR_FULL, db_script(store.reader, "DELETE FROM request", &err));
    CHECK_HAS(err.text, store.postgres == NULL ? "readonly" : "read-only");
    CHECK_OK(db_begin(store.db, &tx, &err));
    CHECK_OK(put_request("k"));
    CHECK_ERR(ERR_NOT_FOUND, get_request(store.reader, "k", REQUEST_ROW, &row));
    CHECK_OK(tx_commit(&tx, &err));
    CHECK_OK(get_request(store.reader, "k", REQUEST_ROW, &row));
}

TEST(a_readers_transaction_is_one_snapshot)
{
    AUTO(tx_done) struct tx tx = {0};
    struct request_row row;

    CHECK_OK(db_begin(store.reader, &tx, &err));
    CHECK_ERR(ERR_NOT_FOUND, get_request(store.reader, "k", REQUEST_ROW, &row));
    CHECK_OK(put_request("k"));
    CHECK_ERR(ERR_NOT_FOUND, get_request(store.reader, "k", REQUEST_ROW, &row));
    CHECK_OK(tx_commit(&tx, &err));
    CHECK_OK(get_request(store.reader, "k", REQUEST_ROW, &row));
}

TEST(what_is_not_committed_is_undone)
{
    {
        AUTO(tx_done) struct tx tx = {0};
        CHECK_OK(db_begin(store.db, &tx, &err));
        CHECK_OK(put_request("k"));
    }
    CHECK(sql_int("SELECT COUNT(*) FROM request") == 0);
    {
        AUTO(tx_done) struct tx tx = {0};
        CHECK_OK(db_begin(store.db, &tx, &err));
        CHECK_OK(put_request("kept"));
        CHECK_OK(db_savepoint(store.db, &err));
        CHECK_OK(put_request("undone"));
        CHECK_OK(db_savepoint_end(store.db, false, &err));
        CHECK_OK(db_savepoint(store.db, &err));
        CHECK_OK(put_request("kept too"));
        CHECK_OK(db_savepoint_end(store.db, true, &err));
        CHECK_OK(tx_commit(&tx, &err));
    }
    CHECK(sql_int("SELECT COUNT(*) FROM request") == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM request WHERE key = 'undone'") == 0);
}

TEST(a_broken_rule_of_the_schema_is_a_conflict)
{
    int64_t id;

    CHECK_OK(db_int(store.db, SQL_SPEC_INSERT, PARAMS(P_TEXT("s")), &id, &err));
    CHECK_ERR(ERR_CONFLICT, db_int(store.db, SQL_SPEC_INSERT, PARAMS(P_TEXT("s")), &id, &err));
    CHECK_ERR(ERR_CONFLICT,
              db_exec(store.db, SQL_NOTE_INSERT,
                      PARAMS(P_INT(99), P_TEXT("ann"), P_INT(T0), P_TEXT("no such finding")), NULL,
                      &err));
}

TEST(a_second_writer_waits_and_then_is_told)
{
    AUTO(db_closep) struct db *second = NULL;
    AUTO(tx_done) struct tx tx = {0};
    AUTO(tx_done) struct tx refused = {0};
    int64_t began_ms;

    CHECK_OK(db_open(store.url, DB_WRITE, &second, &err));
    CHECK_OK(db_script(
        second, store.postgres == NULL ? "PRAGMA busy_timeout = 200" : "SET lock_timeout = 200",
        &err));
    CHECK_OK(db_begin(store.db, &tx, &err));
    began_ms = clock_mono_ms();
    CHECK_ERR(ERR_BUSY, db_begin(second, &refused, &err));
    CHECK(clock_mono_ms() - began_ms >= 150);
    CHECK_HAS(err.text, "another process is writing");
    CHECK_OK(tx_commit(&tx, &err));
    CHECK_OK(db_begin(second, &refused, &err));
}

TEST(a_query_past_its_deadline_ends)
{
    /* Two hundred million rows, were it let. */
    static const char LONG[] = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                               " WHERE i < 200000000) SELECT COUNT(*) FROM n";
    const struct db_backend *backend = db_backend(store.reader);
    void *statement = NULL;
    int64_t began_ms = clock_mono_ms();

    db_deadline(store.reader, began_ms + 100);
    CHECK_OK(backend->prepare(db_handle(store.reader), "long", LONG, &statement, &err));
    CHECK(backend->step(db_handle(store.reader), statement, &err) == DB_STEP_ERROR);
    backend->finalize(statement);
    CHECK(err.code == ERR_TIMEOUT);
    CHECK_HAS(err.text, "took too long");
    CHECK(clock_mono_ms() - began_ms < 10000);
    db_deadline(store.reader, 0);
    CHECK(sql_int("SELECT 7") == 7);
}

TEST(a_step_fails_when_a_test_wants_it)
{
    db_fail_after(store.db, 2);
    CHECK_OK(put_request("1"));
    CHECK_ERR(ERR_IO, put_request("2"));
    CHECK_OK(put_request("3"));
    CHECK(sql_int("SELECT COUNT(*) FROM request") == 2);
}

TEST(a_damaged_address_is_said_to_be_one)
{
    struct finding finding;

    given_model("m1");
    (void)given_finding("i-1", "203.0.113.9");
    sql_run("UPDATE finding SET ip = x'0102'");
    CHECK_ERR(ERR_CORRUPT, finding_get(store.reader, &store.arena, 1, &finding, &err));
    CHECK_HAS(err.text, "an address in the database has 2 bytes");
}

/* ---- several runs of one statement ---- */

enum { RUNS = 700 }; /* more than are sent at a time */

struct id_row {
    int64_t id;
};
static const struct field ID_FIELDS[] = {
    FIELD(struct id_row, id, FIELD_INT, .flags = 0),
    FIELD_END,
};
static struct id_row made[RUNS], met[RUNS];
static bool found[RUNS];
static char names[RUNS][16];

static void name_of_run(void *context, size_t run, struct param *ret)
{
    const size_t *step = context;

    ret[0] = P_TEXT(names[run * *step % RUNS]);
}

static enum err_code run_all(enum sql_id sql, size_t count, size_t step, struct id_row *rows)
{
    struct db_runs runs = {
        .sql = sql,
        .count = count,
        .params = name_of_run,
        .context = &step,
        .fields = ID_FIELDS,
        .rows = rows,
        .row_bytes = sizeof *rows,
        .found = found,
    };

    return db_run_all(store.db, &runs, &err);
}

static void given_names(void)
{
    for (size_t i = 0; i < RUNS; i++)
        (void)snprintf(names[i], sizeof names[i], "i-%zu", i);
}

TEST(runs_of_one_statement_give_their_rows_in_order)
{
    AUTO(tx_done) struct tx tx = {0};

    given_names();
    CHECK_OK(db_begin(store.db, &tx, &err));
    CHECK_OK(run_all(SQL_ENTITY_ID, 0, 1, met));
    CHECK_OK(run_all(SQL_ENTITY_INSERT, RUNS - 1, 1, made));
    CHECK_OK(run_all(SQL_ENTITY_ID, RUNS, 3, met));
    for (size_t i = 0; i < RUNS; i++) {
        CHECK(found[i] == (i * 3 % RUNS != RUNS - 1));
        CHECK(!found[i] || met[i].id == made[i * 3 % RUNS].id);
    }
    CHECK_OK(tx_commit(&tx, &err));
    CHECK(sql_int("SELECT COUNT(*) FROM entity") == RUNS - 1);
}

static enum err_code insert_all_in_a_job(UNUSED struct db *db, void *count, UNUSED struct err *e)
{
    return run_all(SQL_ENTITY_INSERT, *(const size_t *)count, 1, made);
}

TEST(a_run_that_fails_ends_them_all_and_the_next_transaction_works)
{
    size_t all = RUNS;

    given_names();
    (void)memcpy(names[300], names[0], sizeof names[0]);
    CHECK_ERR(ERR_CONFLICT, run_job(insert_all_in_a_job, &all));
    given_names();
    db_fail_after(store.db, 1 + 2 * 300 + 1); /* BEGIN, row and end of each run */
    CHECK_ERR(ERR_IO, run_job(insert_all_in_a_job, &all));
    CHECK(sql_int("SELECT COUNT(*) FROM entity") == 0);
    db_fail_after(store.db, 0);
    CHECK_OK(run_job(insert_all_in_a_job, &all));
    CHECK(sql_int("SELECT COUNT(*) FROM entity") == RUNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_row_is_read_by_its_field_table),
        STORE_TEST(nothing_is_lost_between_parameter_and_column),
        STORE_TEST(a_reading_connection_cannot_write_and_sees_the_last_commit),
        STORE_TEST(a_readers_transaction_is_one_snapshot),
        STORE_TEST(what_is_not_committed_is_undone),
        STORE_TEST(a_broken_rule_of_the_schema_is_a_conflict),
        STORE_TEST(a_second_writer_waits_and_then_is_told),
        STORE_TEST(a_query_past_its_deadline_ends),
        STORE_TEST(a_step_fails_when_a_test_wants_it),
        STORE_TEST(a_damaged_address_is_said_to_be_one),
        STORE_TEST(runs_of_one_statement_give_their_rows_in_order),
        STORE_TEST(a_run_that_fails_ends_them_all_and_the_next_transaction_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
