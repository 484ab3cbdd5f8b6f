/* What is PostgreSQL's alone: connections that are lost, and what is said of servers that refuse.
 */
#include "fixture.h"

#include "store/db_copy.h"
#include "store/note.h"
#include "store/observation_chunk.h"
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

/* ---- statements in a pipeline ---- */

enum { WAITING_RUNS = 50 };
struct between {
    void (*call)(void); /* when half of them are sent */
    enum err_code code; /* then */
};

static void note_key(void *context, size_t run, struct param *ret)
{
    if (run == WAITING_RUNS / 2)
        ((const struct between *)context)->call();
    ret[0] = ret[2] = ret[3] = P_TEXT("x");
    ret[1] = P_TEXT(arena_printf(&store.arena, "%zu", run));
    ret[4] = P_INT(T0);
}

static enum err_code run_waiting(struct db *db, void *between, struct err *e)
{
    struct db_runs runs = {
        .sql = SQL_REQUEST_PUT, .count = WAITING_RUNS, .params = note_key, .context = between};

    return db_run_all(db, &runs, e);
}

static void be_late(void)
{
    db_deadline(store.db, clock_mono_ms() + 1);
    clock_sleep_ms(5);
}

static void do_nothing(void)
{
}

/* A trigger that waits, so that the deadline finds a statement running. */
static const char WAIT[] =
    "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END';"
    "CREATE TRIGGER wait BEFORE INSERT ON request FOR EACH ROW EXECUTE FUNCTION wait()";

TEST(a_pipeline_that_breaks_or_is_late_leaves_nothing_and_is_tried_again)
{
    static struct between CASES[] = {
        {lose_connections, ERR_BUSY}, {be_late, ERR_TIMEOUT}, {do_nothing, ERR_NONE}};

    sql_run(WAIT);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        CHECK_ERR(CASES[i].code, run_job(run_waiting, &CASES[i]));
        db_deadline(store.db, 0);
        CHECK(sql_int("SELECT COUNT(*) FROM request") ==
              (CASES[i].code == ERR_NONE ? WAITING_RUNS : 0));
    }
}

TEST(one_connection_leads_a_task_until_it_is_closed)
{
    bool first = false, second = true;

    CHECK_OK(db_lead(store.reader, DB_TASK_LEARN, &first, &err));
    CHECK_OK(db_lead(store.db, DB_TASK_LEARN, &second, &err));
    CHECK(first && !second);
    CHECK_OK(db_lead(store.reader, DB_TASK_LEARN, &first, &err));
    CHECK(first);
    db_closep(&store.reader);
    for (int i = 0; i < 100 && !second; i++) {
        CHECK_OK(db_lead(store.db, DB_TASK_LEARN, &second, &err));
        clock_sleep_ms(second ? 0 : 10); /* the server notices the end a moment later */
    }
    CHECK(second);
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

/* Enough of a day to be packed. */
static void ingest_many(struct scored_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pairs[i] = usual("i-2", "10.1.2.3");
        pairs[i].ip.bytes[14] = (uint8_t)i;
    }
    (void)ingest(pairs, count);
}

static int64_t partitions(void)
{
    return sql_int("SELECT COUNT(*) FROM pg_inherits"
                   " WHERE inhparent = 'observation_chunk'::regclass");
}

TEST(days_have_partitions_ahead_and_are_dropped_whole)
{
    static struct scored_pair many[1000];
    int64_t now_ms = clock_now_ms(), gone;
    AUTO(tx_done) struct tx tx = {0};

    given_model("m1");
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        many[i] = usual("i-2", "10.1.2.3");
        many[i].first_ms = many[i].last_ms = now_ms - now_ms % DAY_MS;
    }
    (void)ingest(many, ARRAY_LEN(many));
    CHECK(partitions() == 3); /* today, tomorrow, the rest */
    CHECK(sql_int("SELECT COUNT(*) FROM observation_chunk_rest") == 0);
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i].first_ms = many[i].last_ms = T0 - 4000 * (int64_t)DAY_MS;
    (void)ingest(many, ARRAY_LEN(many));
    CHECK(partitions() == 3 && sql_int("SELECT COUNT(*) FROM observation_chunk_rest") == 1);
    CHECK_OK(db_begin(store.db, &tx, &err));
    CHECK_OK(chunk_drop(store.db, now_ms + DAY_MS, 10, &gone, &err));
    CHECK_OK(tx_commit(&tx, &err));
    CHECK(gone == 2 && partitions() == 2);
}

/* A SQLite store with something of everything, where the tests of SQLite have theirs. */
static void given_sqlite_store(void)
{
    static struct scored_pair pairs[100], many[1000];
    const char *postgres = store.postgres;
    char url[sizeof store.url], name[] = "ann";
    struct note_job note = {.arena = &store.arena,
                            .author = "user:ann",
                            .now_ms = T0,
                            .finding_id = 1,
                            .text = "tab\t, line\n, \\N and \xc3\xa9"};

    store_close();
    (void)memcpy(url, store.url, sizeof url);
    (void)snprintf(store.url, sizeof store.url, "sqlite:%s", store.path);
    store.postgres = NULL;
    CHECK_OK(migrate_run(store.url, &err));
    store_open();
    given_model("m1");
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        pairs[i] = i % 9 == 0 ? flagged("i-\"1\"", "203.0.113.9") : usual("i-2", "10.1.2.3");
        pairs[i].ip.bytes[15] = (uint8_t)i;
        pairs[i].score = pairs[i].flagged ? 5e-324 + (double)i / 3 : -1e300 / (double)(i + 1);
        pairs[i].percentile = i % 4 == 0 ? NAN : pairs[i].percentile;
    }
    (void)ingest(pairs, ARRAY_LEN(pairs));
    ingest_many(many, ARRAY_LEN(many));
    CHECK_OK(run_job(note_add_job, &note));
    CHECK_OK(run_job(add_user, name));
    store_close();
    store.postgres = postgres;
    (void)memcpy(store.url, url, sizeof url);
}

enum { TABLES = 31 };
static uint64_t copied_rows, copied_tables;

static void count_copied(UNUSED void *context, const struct db_copied *copied)
{
    copied_rows += copied->rows;
    copied_tables++;
}

static enum err_code copy_sqlite_store(void)
{
    char url[sizeof store.url];

    copied_rows = copied_tables = 0;
    (void)snprintf(url, sizeof url, "sqlite:%s", store.path);
    return db_copy(url, store.url, count_copied, NULL, &err);
}

TEST(a_sqlite_store_is_copied_whole_and_goes_on)
{
    struct finding finding;
    char name[] = "bob";

    given_sqlite_store();
    CHECK_OK(copy_sqlite_store());
    CHECK(copied_tables == TABLES && copied_rows > 130);
    store_open();
    CHECK_OK(change_verify(store.reader, &err));
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 100);
    CHECK(sql_int("SELECT MAX(rows) FROM observation_chunk") == 1000);
    finding = finding_now(1);
    CHECK(finding.score == 5e-324 && isnan(finding.percentile));
    CHECK_STR(finding.entity, "i-\"1\"");
    CHECK_OK(run_job(add_user, name));
    CHECK(given_finding("i-3", "198.51.100.7") == 13);
    CHECK(sql_int("SELECT COUNT(*) = MAX(seq) FROM change") == 1);
}

TEST(a_copy_goes_into_an_empty_database_only)
{
    char name[] = "bob";

    CHECK_OK(run_job(add_user, name));
    given_sqlite_store();
    CHECK_ERR(ERR_INVALID, copy_sqlite_store());
    CHECK_HAS(err.text, "copying the table change: the target holds rows already");
    store_open();
    CHECK(sql_int("SELECT COUNT(*) FROM entity") == 0); /* nothing of it stayed */
    CHECK_ERR(ERR_INVALID, db_copy(store.url, store.url, count_copied, NULL, &err));
}

static const char SPOIL[] =
    "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN NEW.text = substr(NEW.text, 2); RETURN NEW; END';"
    "CREATE TRIGGER spoil BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION spoil()";
static const char REFUSE[] =
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RAISE EXCEPTION USING MESSAGE = NEW.seq; END';"
    "CREATE TRIGGER refuse BEFORE INSERT ON change FOR EACH ROW EXECUTE FUNCTION refuse()";

TEST(a_copy_that_is_not_the_same_is_never_opened)
{
    sql_run(SPOIL);
    given_sqlite_store();
    CHECK_ERR(ERR_CORRUPT, copy_sqlite_store());
    CHECK_HAS(err.text, "copying the table note: 1 rows there, 1 here");
    CHECK_ERR(ERR_CONFLICT, migrate_run(store.url, &err));
    CHECK_HAS(err.text, "run `pairwatch migrate --to` again");
    CHECK_ERR(ERR_CORRUPT, copy_sqlite_store());
}

TEST(an_interrupted_copy_goes_on_where_it_was)
{
    sql_run(REFUSE);
    given_sqlite_store();
    CHECK_ERR(ERR_INTERNAL, copy_sqlite_store());
    CHECK_HAS(err.text, "copying the table change");
    CHECK_ERR(ERR_CONFLICT, migrate_run(store.url, &err));
    CHECK_OK(db_open_bare(store.url, DB_WRITE, &store.db, &err));
    sql_run("DROP TRIGGER refuse ON change");
    db_closep(&store.db);
    CHECK_OK(copy_sqlite_store());
    CHECK(copied_tables == TABLES && copied_rows > 130);
    store_open();
    CHECK_OK(change_verify(store.reader, &err));
    CHECK(sql_int("SELECT COUNT(*) FROM observation") == 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_reader_asks_again_on_a_new_connection),
        STORE_TEST(a_writers_next_transaction_is_on_a_new_connection),
        STORE_TEST(what_was_under_way_is_to_be_tried_again_and_left_nothing),
        STORE_TEST(a_batch_lost_before_its_commit_is_stored_once_by_the_next_try),
        STORE_TEST(a_pipeline_that_breaks_or_is_late_leaves_nothing_and_is_tried_again),
        STORE_TEST(one_connection_leads_a_task_until_it_is_closed),
        STORE_TEST(a_row_that_copy_refuses_fails_the_batch),
        STORE_TEST(a_transaction_that_has_failed_cannot_be_committed),
        STORE_TEST(what_a_server_refuses_is_said_without_the_password),
        STORE_TEST(days_have_partitions_ahead_and_are_dropped_whole),
        STORE_TEST(a_sqlite_store_is_copied_whole_and_goes_on),
        STORE_TEST(a_copy_goes_into_an_empty_database_only),
        STORE_TEST(a_copy_that_is_not_the_same_is_never_opened),
        STORE_TEST(an_interrupted_copy_goes_on_where_it_was),
        STORE_TEST(a_database_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
