/* What is PostgreSQL's alone: connections that are lost, and what is said of servers that refuse.
 */
#include "fixture.h"

#include "store/user.h"

/* Ends every other connection of this test's schema from outside, as a restart of the server does.
 */
static void lose_connections(void)
{
    AUTO(db_closep) struct db *other = NULL;

    CHECK_OK(db_open_bare(store.postgres, DB_WRITE, &other, &err));
    (void)sql_int_on(other, "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity"
                            " WHERE pid <> pg_backend_pid() AND application_name = 'pairwatch'"
                            " AND datname = current_database()");
}

static enum err_code add_user(struct db *db, void *name, struct err *e)
{
    struct user_create_job job = {
        .actor = "test", .now_ms = T0, .name = name, .password_hash = "x", .role = 2};

    return user_create_job_run(db, &job, e);
}

static enum err_code add_user_and_lose(struct db *db, void *name, struct err *e)
{
    TRY(add_user(db, name, e));
    lose_connections();
    return add_user(db, name, e);
}

TEST(a_reader_asks_again_on_a_new_connection)
{
    int64_t seq = -1;

    CHECK_OK(change_last_seq(store.reader, &seq, &err));
    lose_connections();
    CHECK_OK(change_last_seq(store.reader, &seq, &err));
    CHECK(seq == 0);
}

TEST(a_writers_next_transaction_is_on_a_new_connection)
{
    char name[] = "ann";

    lose_connections();
    CHECK_OK(run_job(add_user, name));
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\"") == 1);
}

TEST(what_was_under_way_is_to_be_tried_again_and_left_nothing)
{
    char name[] = "ann";

    CHECK_ERR(ERR_BUSY, run_job(add_user_and_lose, name));
    CHECK_HAS(err.text, "try again");
    CHECK_OK(run_job(add_user, name));
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\"") == 1);
    CHECK(sql_int("SELECT COUNT(*) FROM change") == 1);
    CHECK_OK(change_verify(store.reader, &err));
}

/* Rows on their way in a COPY go with the connection, and the batch is stored once when it is tried
 * again. */
static enum err_code ingest_and_lose(struct db *db, void *job, struct err *e)
{
    TRY(ingest_job(db, job, e));
    lose_connections();
    return ERR_NONE;
}

TEST(a_batch_lost_before_its_commit_is_stored_once_by_the_next_try)
{
    struct scored_pair pairs[] = {usual("i-1", "10.1.2.3"), flagged("i-2", "203.0.113.9")};
    struct ingest_batch batch = batch_of(pairs, ARRAY_LEN(pairs));
    struct ingest_job job = {.batch = &batch};

    given_model("m1");
    batch.idempotency_key = "k";
    batch.request_digest = "d";
    CHECK_ERR(ERR_BUSY, run_job(ingest_and_lose, &job));
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 0);
    CHECK_OK(run_job(ingest_job, &job));
    CHECK(!job.result.repeated);
    CHECK_OK(run_job(ingest_job, &job));
    CHECK(job.result.repeated && job.result.observations == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM observation o JOIN entity e ON e.id = o.entity_id") == 2);
}

/* The transaction fails as a whole, and the feed goes on where it was. */
TEST(a_row_that_copy_refuses_fails_the_batch)
{
    struct scored_pair pair = usual("i-1", "10.1.2.3");
    struct ingest_batch batch = batch_of(&pair, 1);
    struct ingest_job job = {.batch = &batch};

    given_model("m1");
    sql_run("ALTER TABLE observation ADD CHECK (count < 100)");
    pair.count = 100;
    CHECK_ERR(ERR_CONFLICT, run_job(ingest_job, &job));
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 0);
    pair.count = 99;
    CHECK_OK(run_job(ingest_job, &job));
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 1);
}

TEST(a_transaction_that_has_failed_cannot_be_committed)
{
    AUTO(tx_done) struct tx tx = {0};
    char name[] = "ann";

    CHECK_OK(db_begin(store.db, &tx, &err));
    CHECK_OK(add_user(store.db, name, &err));
    CHECK_ERR(ERR_CONFLICT,
              db_exec(store.db, SQL_USER_INSERT,
                      PARAMS(P_TEXT(name), P_TEXT("x"), P_INT(1), P_INT(0), P_INT(0)), NULL, &err));
    CHECK_ERR(ERR_INTERNAL, tx_commit(&tx, &err));
}

TEST(what_a_server_refuses_is_said_without_the_password)
{
    static const struct {
        const char *url;
        enum err_code code;
        const char *said;
    } CASES[] = {
        {"postgresql://u:secret@127.0.0.1:1/x", ERR_BUSY, "check the "},
        {"postgresql://u:secret@127.0.0.1:1/x?nonsense=1", ERR_BUSY, "nonsense"},
        {"postgresql:x", ERR_INVALID, "a database is sqlite:FILE or postgresql://"},
        {"postgress://u:secret@h/x", ERR_INVALID, "not \"postgress\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        CHECK_ERR(CASES[i].code, migrate_run(CASES[i].url, &err));
        CHECK_HAS(err.text, CASES[i].said);
        CHECK(strstr(err.text, "secret") == NULL);
    }
}

TEST(a_database_that_is_not_there_is_named)
{
    char url[256];

    (void)snprintf(url, sizeof url, "%.*s/nowhere",
                   (int)(strrchr(store.postgres, '/') - store.postgres), store.postgres);
    CHECK_ERR(ERR_BUSY, migrate_run(url, &err));
    CHECK_HAS(err.text, "\"nowhere\" does not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_reader_asks_again_on_a_new_connection),
        STORE_TEST(a_writers_next_transaction_is_on_a_new_connection),
        STORE_TEST(what_was_under_way_is_to_be_tried_again_and_left_nothing),
        STORE_TEST(a_batch_lost_before_its_commit_is_stored_once_by_the_next_try),
        STORE_TEST(a_row_that_copy_refuses_fails_the_batch),
        STORE_TEST(a_transaction_that_has_failed_cannot_be_committed),
        STORE_TEST(what_a_server_refuses_is_said_without_the_password),
        STORE_TEST(a_database_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
