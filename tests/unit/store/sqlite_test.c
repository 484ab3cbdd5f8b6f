/* What is SQLite's alone: its settings, files that are none or damaged or cannot be written, and a
 * full disk. */
#include "fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

/* What opening for writing says, as serve does it. */
static enum err_code start(void)
{
    AUTO(db_closep) struct db *db = NULL;

    TRY(migrate_run(store.url, &err));
    return db_open(store.url, DB_WRITE, &db, &err);
}

static void given_database(const char *then)
{
    CHECK_OK(migrate_run(store.url, &err));
    CHECK_OK(db_open(store.url, DB_WRITE, &store.db, &err));
    sql_run(then);
    store_close();
}

static void check_one_line(void)
{
    CHECK(strchr(err.text, '\n') == NULL && err.text[0] != '\0');
}

static void given_file(const char *bytes, size_t length)
{
    FILE *file = fopen(store.path, "we");

    assert_non_null(file);
    CHECK(fwrite(bytes, 1, length, file) == length);
    CHECK(fclose(file) == 0);
}

TEST(the_pragmas_are_those_of_the_design)
{
    CHECK_OK(start());
    store_open();
    CHECK(sql_int_on(store.db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode") == 1);
    CHECK(sql_int_on(store.db, "PRAGMA synchronous") == 2); /* full */
    CHECK(sql_int_on(store.db, "PRAGMA foreign_keys") == 1);
    CHECK(sql_int_on(store.db, "PRAGMA busy_timeout") > 0);
    CHECK(sql_int_on(store.reader, "PRAGMA query_only") == 1);
    CHECK(sql_int_on(store.reader, "PRAGMA busy_timeout") > 0);
}

TEST(a_file_that_is_no_database_is_refused)
{
    char text[8192];

    (void)memset(text, 'x', sizeof text);
    given_file(text, sizeof text);
    CHECK_ERR(ERR_CORRUPT, start());
    CHECK_HAS(err.text, "it is no SQLite database: name another file");
    check_one_line();
}

TEST(a_damaged_one_is_refused)
{
    FILE *file;

    given_database("PRAGMA wal_checkpoint(TRUNCATE)");
    file = fopen(store.path, "r+e");
    assert_non_null(file);
    CHECK(fseek(file, 100, SEEK_SET) == 0); /* the root page of the schema */
    for (int i = 0; i < 3996; i++)
        CHECK(fputc(0xff, file) == 0xff);
    CHECK(fclose(file) == 0);
    CHECK_ERR(ERR_CORRUPT, start());
    CHECK_HAS(err.text, "restore a backup");
    check_one_line();
}

TEST(a_missing_file_or_folder_is_said)
{
    CHECK_ERR(ERR_NOT_FOUND, db_open(store.url, DB_READ, &store.reader, &err));
    CHECK_HAS(err.text, store.path);
    (void)snprintf(store.url, sizeof store.url, "sqlite:%s/no/such/folder.db", store.dir);
    CHECK_ERR(ERR_IO, start());
    CHECK_HAS(err.text, "check that its folder exists");
    check_one_line();
    (void)snprintf(store.url, sizeof store.url, "sqlite:%s", store.dir);
    CHECK_ERR(ERR_INVALID, start());
    CHECK_HAS(err.text, "it is no file");
}

/* The superuser may write everywhere, so a child becomes somebody else. */
static int open_as_nobody(void)
{
    if (geteuid() == 0 && seteuid(NOBODY) != 0)
        return 2;
    if (start() != ERR_FULL || strstr(err.text, "check owner and mount") == NULL)
        return 3;
    return db_open(store.url, DB_READ, &store.reader, &err) == ERR_NONE ? 0 : 4;
}

TEST(a_read_only_file_is_said_to_be_one)
{
    pid_t child;
    int status = -1;

    given_database("PRAGMA wal_checkpoint(TRUNCATE)");
    CHECK(chmod(store.dir, 0777) == 0); /* NOLINT: a reader makes the index of the log there */
    CHECK(chmod(store.path, 0444) == 0);
    child = fork();
    if (child == 0)
        _exit(open_as_nobody());
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A disk of 64 KB: in a child, for the limit stays. */
static int make_on_small_disk(void)
{
    const struct rlimit limit = {65536, 65536};

    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 2;
    if (start() == ERR_NONE)
        return 3;
    return strchr(err.text, '\n') == NULL && (err.code == ERR_FULL || err.code == ERR_IO) ? 0 : 4;
}

TEST(a_full_disk_makes_no_half_database)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0)
        _exit(make_on_small_disk());
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_OK(start());
}

static struct ingest_object object_of(const char *key)
{
    return (struct ingest_object){
        .bucket = "lake", .key = key, .etag = "e", .rows = 9, .unscored_json = "{}"};
}

static int64_t rows(void)
{
    return sql_int("SELECT (SELECT COUNT(*) FROM observation) + (SELECT COUNT(*) FROM finding)"
                   " + (SELECT COUNT(*) FROM change) + (SELECT COUNT(*) FROM entity)"
                   " + (SELECT COUNT(*) FROM rollup_hour) + (SELECT COUNT(*) FROM object)"
                   " + (SELECT COUNT(*) FROM request) + (SELECT COUNT(*) FROM note)"
                   " + (SELECT COUNT(*) FROM \"user\")");
}

/* SQLite refuses pages beyond max_page_count as it refuses a full disk. */
TEST(a_full_disk_undoes_the_batch_and_the_next_one_goes_on)
{
    enum { MANY = 5000 };
    static struct scored_pair pairs[MANY];
    struct ingest_object object = object_of("a");
    struct ingest_batch batch = batch_of(pairs, MANY);
    struct ingest_job job = {.batch = &batch};
    int64_t before;

    given_model("m1");
    for (int i = 0; i < MANY; i++)
        pairs[i] = usual("i-1", "10.1.2.3");
    batch.object = &object;
    before = rows();
    CHECK(sql_int_on(store.db, "PRAGMA max_page_count = 1") > 1); /* as large as it is */
    CHECK_ERR(ERR_FULL, run_job(ingest_job, &job));
    CHECK_HAS(err.text, "make room on the disk, nothing was lost");
    CHECK(rows() == before);
    CHECK(sql_int_on(store.db, "PRAGMA max_page_count = 100000") == 100000);
    CHECK_OK(run_job(ingest_job, &job));
    CHECK(!job.result.repeated && job.result.observations == MANY);
}

/* The same through the writer, whose savepoint is gone with the transaction. */
TEST(the_writer_tells_that_the_disk_is_full)
{
    enum { MANY = 50000 };
    static struct scored_pair pairs[MANY];
    struct ingest_batch batch = batch_of(pairs, MANY);
    struct ingest_job job = {.batch = &batch};
    const struct rlimit small = {200000, RLIM_INFINITY};
    struct rlimit before;
    struct writer *writer;
    enum err_code code;

    given_model("m1");
    for (int i = 0; i < MANY; i++)
        pairs[i] = usual("i-1", "10.1.2.3");
    store_close();
    CHECK_OK(writer_start(store.url, &writer, &err));
    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    code = writer_run(writer, ingest_job, &job, &err);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(code == ERR_FULL || code == ERR_IO);
    CHECK(strstr(err.text, "savepoint") == NULL && strchr(err.text, '\n') == NULL);
    CHECK_OK(writer_run(writer, ingest_job, &job, &err));
    writer_stop(writer);
    store_open();
    CHECK(sql_int("SELECT SUM(rows) FROM observation_chunk") == MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMPTY_TEST(the_pragmas_are_those_of_the_design),
        EMPTY_TEST(a_file_that_is_no_database_is_refused),
        EMPTY_TEST(a_damaged_one_is_refused),
        EMPTY_TEST(a_missing_file_or_folder_is_said),
        EMPTY_TEST(a_read_only_file_is_said_to_be_one),
        EMPTY_TEST(a_full_disk_makes_no_half_database),
        STORE_TEST(a_full_disk_undoes_the_batch_and_the_next_one_goes_on),
        STORE_TEST(the_writer_tells_that_the_disk_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
