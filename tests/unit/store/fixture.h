#pragma once
/* A store of its own for each test: a fresh database (a schema of the server that
 * TEST_POSTGRES names, or else a SQLite file), one writing and one reading connection,
 * and short words for what tests write. Which engine it is on is decided in store_url alone;
 * nothing else here or in the tests of a table names one. */
#include "temp.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/change.h"
#include "store/db.h"
#include "store/db_backend.h"
#include "store/finding.h"
#include "store/ingest.h"
#include "store/migrate.h"
#include "store/model_row.h"
#include "store/writer.h"

enum { STORE_ARENA_BYTES = 256 << 20 };
/* 2026-01-02T03:04:05Z, on no hour. */
#define T0 INT64_C(1767323045000)

static struct err err;
static struct {
    char dir[64], path[96], url[256];
    const char *postgres; /* the url of the server, when the tests run on PostgreSQL */
    char schema[32];      /* there: the test's own */
    struct db *db, *reader;
    struct arena arena;
} store;

UNUSED static void run_on(const char *url, const char *before, const char *name, const char *after)
{
    AUTO(db_closep) struct db *db = NULL;
    char sql[1024];

    (void)snprintf(sql, sizeof sql, "%s%s%s", before, name, after);
    CHECK_OK(db_open_bare(url, DB_WRITE, &db, &err));
    CHECK_OK(db_script(db, sql, &err));
}

/* Functions of SQLite that the tests' own SQL calls. */
static const char SQLITE_WORDS[] =
    "CREATE FUNCTION hex(bytea) RETURNS text LANGUAGE sql AS"
    " 'SELECT upper(encode($1, ''hex''))';"
    "CREATE FUNCTION zeroblob(integer) RETURNS bytea LANGUAGE sql AS"
    " 'SELECT decode(repeat(''00'', $1), ''hex'')';"
    "CREATE DOMAIN blob AS bytea;"
    "CREATE FUNCTION instr(bytea, text) RETURNS integer LANGUAGE sql AS"
    " 'SELECT position(convert_to($2, ''UTF8'') IN $1)'";

/* SQL as SQLite writes it, with bytes as this engine does: x'00' is '\\x00' to PostgreSQL. */
UNUSED static const char *sql_here(const char *sql)
{
    static char text[4096];
    size_t length = 0;

    if (store.postgres == NULL)
        return sql;
    for (; *sql != '\0'; sql++) {
        CHECK(length + 4 < sizeof text);
        if (strncmp(sql, " x'", 3) == 0) {
            (void)memcpy(text + length, " '\\x", 4);
            length += 4;
            sql += 2;
        } else {
            text[length++] = *sql;
        }
    }
    text[length] = '\0';
    return text;
}

UNUSED static void store_url(void)
{
    const char *tmp = getenv("TMPDIR");
    static int number;

    store.postgres = getenv("TEST_POSTGRES");
    (void)snprintf(store.dir, sizeof store.dir, "%.30s/store_test_XXXXXX",
                   tmp != NULL ? tmp : "/tmp");
    (void)temp_folder(store.dir);
    (void)snprintf(store.path, sizeof store.path, "%s/store.db", store.dir);
    (void)snprintf(store.url, sizeof store.url, "sqlite:%s", store.path);
    if (store.postgres == NULL)
        return;
    (void)snprintf(store.schema, sizeof store.schema, "t%d_%d", (int)getpid(), number++);
    (void)snprintf(store.url, sizeof store.url, "%.150s?options=-csearch_path%%3D%s",
                   store.postgres, store.schema);
    run_on(store.postgres, "CREATE SCHEMA ", store.schema, "");
    run_on(store.url, "", "", SQLITE_WORDS);
}

UNUSED static int store_remove(void)
{
    if (store.postgres != NULL)
        run_on(store.postgres, "DROP SCHEMA ", store.schema, " CASCADE");
    return temp_folder_drop(store.dir);
}

/* A place for a database and nothing in it. */
UNUSED static int enter_empty(UNUSED void **state)
{
    err = (struct err){0};
    arena_init(&store.arena, STORE_ARENA_BYTES);
    store_url();
    return 0;
}

UNUSED static void store_close(void)
{
    db_closep(&store.db);
    db_closep(&store.reader);
}

UNUSED static void store_open(void)
{
    CHECK_OK(db_open(store.url, DB_WRITE, &store.db, &err));
    CHECK_OK(db_open(store.url, DB_READ, &store.reader, &err));
}

UNUSED static int enter(void **state)
{
    (void)enter_empty(state);
    CHECK_OK(migrate_run(store.url, &err));
    store_open();
    return 0;
}

UNUSED static int leave(UNUSED void **state)
{
    clock_set_for_test(0);
    store_close();
    arena_done(&store.arena);
    return store_remove();
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)
#define EMPTY_TEST(name) cmocka_unit_test_setup_teardown(name, enter_empty, leave)

/* SQL of the tests' own, with one number for an answer. */
UNUSED static int64_t sql_int_on(struct db *db, const char *sql)
{
    const struct db_backend *backend = db_backend(db);
    void *statement = NULL;
    int64_t value = INT64_MIN;

    CHECK_OK(backend->prepare(db_handle(db), "test", sql_here(sql), &statement, &err));
    if (backend->step(db_handle(db), statement, &err) == DB_STEP_ROW)
        value = backend->column_int(statement, 0);
    backend->finalize(statement);
    return value;
}

/* Counts tables; with more conditions on their name. */
UNUSED static const char *sql_of_tables(const char *more)
{
    return arena_printf(&store.arena,
                        store.postgres == NULL
                            ? "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' %s"
                            : "SELECT COUNT(*) FROM (SELECT schemaname AS schema, tablename AS name"
                              " FROM pg_tables) t WHERE schema = current_schema() %s",
                        more);
}

UNUSED static int64_t sql_int(const char *sql)
{
    return sql_int_on(store.reader, sql);
}

UNUSED static void sql_run(const char *sql)
{
    CHECK_OK(db_script(store.db, sql_here(sql), &err));
}

/* A writer's job in a transaction of its own. */
UNUSED static enum err_code run_job(writer_job *job, void *argument)
{
    AUTO(tx_done) struct tx tx = {0};

    TRY(db_begin(store.db, &tx, &err));
    TRY(job(store.db, argument, &err));
    return tx_commit(&tx, &err);
}

UNUSED static void given_model(const char *id)
{
    static const struct model_spec_row SPECS[] = {
        {.spec = "vpc-egress", .threshold = 5.0, .sample_size = 1000, .quantiles = NULL}};
    struct model_register_job job = {
        .actor = "worker",
        .model = {.id = id, .detector = "prefix", .info = "{}", .specs = SPECS, .spec_count = 1},
        .now_ms = T0,
    };

    CHECK_OK(run_job(model_register_job_run, &job));
}

UNUSED static struct ip ip_of(const char *text)
{
    struct ip ip;

    CHECK(ip_parse(text, &ip));
    return ip;
}

/* An unflagged sighting, seen once at T0. */
UNUSED static struct scored_pair usual(const char *entity, const char *ip)
{
    return (struct scored_pair){
        .spec = "vpc-egress",
        .entity = entity,
        .ip = ip_of(ip),
        .first_ms = T0,
        .last_ms = T0,
        .count = 1,
        .score = -3.25,
        .percentile = 40,
        .entity_known = true,
        .account = "111122223333",
        .region = "eu-west-1",
    };
}

UNUSED static struct scored_pair flagged(const char *entity, const char *ip)
{
    struct scored_pair pair = usual(entity, ip);

    pair.score = 7.5;
    pair.percentile = 99.9;
    pair.flagged = true;
    pair.explanation_json = "{\"usual\":[]}";
    return pair;
}

UNUSED static struct ingest_batch batch_of(const struct scored_pair *pairs, size_t count)
{
    return (struct ingest_batch){
        .model_id = "m1", .origin = "worker", .pairs = pairs, .count = count};
}

UNUSED static struct ingest_result ingest(const struct scored_pair *pairs, size_t count)
{
    struct ingest_batch batch = batch_of(pairs, count);
    struct ingest_job job = {.batch = &batch};

    CHECK_OK(run_job(ingest_job, &job));
    return job.result;
}

UNUSED static int64_t given_finding(const char *entity, const char *ip)
{
    struct scored_pair pair = flagged(entity, ip);

    CHECK(ingest(&pair, 1).findings_new == 1);
    return sql_int("SELECT MAX(id) FROM finding");
}

UNUSED static struct finding finding_now(int64_t id)
{
    struct finding finding;

    CHECK_OK(finding_get(store.reader, &store.arena, id, &finding, &err));
    return finding;
}

/* Status and verdict (-1 = none), as an analyst sets them. */
UNUSED static void triage(int64_t id, enum finding_status status, int64_t verdict)
{
    struct finding_patch_item item = {
        .id = id,
        .version = finding_now(id).version,
        .patch = {.has_status = true, .has_verdict = true, .status = status, .verdict = verdict},
    };
    struct finding_patch_job job = {
        .arena = &store.arena, .actor = "user:ann", .now_ms = T0, .items = &item, .count = 1};

    CHECK_OK(run_job(finding_patch_job_run, &job));
    CHECK(item.outcome == FINDING_CHANGED);
}

UNUSED static int64_t verdict_of(const char *word)
{
    int verdict = field_word_index(FINDING_VERDICT_WORDS, word);

    CHECK(verdict >= 0);
    return verdict;
}
