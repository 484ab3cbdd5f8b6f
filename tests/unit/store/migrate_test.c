/* Opening: fresh, older, newer, altered, another program's, damaged, unwritable. Each refusal is
 * one line that says what and what to do. */
#include "fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

enum { NOBODY = 65534, CHILDREN = 4 };

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

static void given_file(const char *bytes, size_t length)
{
    FILE *file = fopen(store.path, "we");

    assert_non_null(file);
    CHECK(fwrite(bytes, 1, length, file) == length);
    CHECK(fclose(file) == 0);
}

static void check_one_line(void)
{
    CHECK(strchr(err.text, '\n') == NULL && err.text[0] != '\0');
}

TEST(a_fresh_one_is_made_and_stays_as_it_is)
{
    CHECK_OK(start());
    store_open();
    CHECK(sql_int("SELECT COUNT(*) FROM schema_migration WHERE length(checksum) = 64"
                  " AND name = '0001_initial.sql' AND applied_ms > 0") == 1);
    CHECK(
        sql_int("SELECT COUNT(*) FROM schema_migration") ==
        sql_int("SELECT COUNT(*) FROM schema_migration WHERE name GLOB '[0-9][0-9][0-9][0-9]_*'"));
    CHECK_OK(start());
}

TEST(the_pragmas_are_those_of_the_design)
{
    CHECK_OK(start());
    store_open();
    CHECK(sql_int_on(store.db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode") == 1);
    CHECK(sql_int_on(store.db, "PRAGMA synchronous") == 1);
    CHECK(sql_int_on(store.db, "PRAGMA foreign_keys") == 1);
    CHECK(sql_int_on(store.db, "PRAGMA busy_timeout") > 0);
    CHECK(sql_int_on(store.reader, "PRAGMA query_only") == 1);
    CHECK(sql_int_on(store.reader, "PRAGMA busy_timeout") > 0);
}

TEST(several_processes_may_make_it_at_once)
{
    pid_t children[CHILDREN];

    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(start() == ERR_NONE ? 0 : 1);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = -1;

        CHECK(waitpid(children[i], &status, 0) == children[i]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    store_open();
}

TEST(one_of_a_newer_version_is_refused)
{
    given_database("INSERT INTO schema_migration VALUES ('9999_later.sql', 'x', 1)");
    CHECK_ERR(ERR_INVALID, start());
    CHECK_HAS(err.text, "9999_later.sql");
    CHECK_HAS(err.text, "use the newer pairwatch");
    check_one_line();
    CHECK_ERR(ERR_INVALID, db_open(store.url, DB_READ, &store.reader, &err));
}

TEST(an_altered_migration_is_refused)
{
    given_database("UPDATE schema_migration SET checksum = 'ff' WHERE name = '0001_initial.sql'");
    CHECK_ERR(ERR_INVALID, start());
    CHECK_HAS(err.text, "migration 0001_initial.sql was altered");
    check_one_line();
}

TEST(one_of_an_older_version_is_refused_until_migrated)
{
    given_database("DELETE FROM schema_migration");
    CHECK_ERR(ERR_INVALID, db_open(store.url, DB_READ, &store.reader, &err));
    CHECK_HAS(err.text, "run `pairwatch migrate`");
    check_one_line();
}

TEST(tables_without_their_record_are_left_alone)
{
    given_database("DROP TABLE schema_migration");
    /* Its own tables are there, so they are another program's; and nothing was recorded. */
    CHECK_ERR(ERR_INVALID, start());
    CHECK_HAS(err.text, "tables of another program");
    CHECK_OK(db_open_bare(store.url, DB_READ, &store.reader, &err));
    CHECK(sql_int("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'schema_migration'") == 0);
}

TEST(another_programs_database_is_left_alone)
{
    CHECK_OK(db_open_bare(store.url, DB_WRITE, &store.db, &err));
    sql_run("CREATE TABLE bookmarks (url TEXT)");
    store_close();
    CHECK_ERR(ERR_INVALID, start());
    CHECK_HAS(err.text, "another program");
    CHECK_OK(db_open_bare(store.url, DB_READ, &store.reader, &err));
    CHECK(sql_int("SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table'") == 1);
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

TEST(a_url_of_no_engine_is_refused)
{
    static const char *const BAD[] = {"", "sqlite", "sqlite:", "store.db", "mysql://h/d"};

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        CHECK_ERR(ERR_INVALID, migrate_run(BAD[i], &err));
        CHECK_HAS(err.text, "a database is sqlite:FILE");
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMPTY_TEST(a_fresh_one_is_made_and_stays_as_it_is),
        EMPTY_TEST(the_pragmas_are_those_of_the_design),
        EMPTY_TEST(several_processes_may_make_it_at_once),
        EMPTY_TEST(one_of_a_newer_version_is_refused),
        EMPTY_TEST(an_altered_migration_is_refused),
        EMPTY_TEST(one_of_an_older_version_is_refused_until_migrated),
        EMPTY_TEST(tables_without_their_record_are_left_alone),
        EMPTY_TEST(another_programs_database_is_left_alone),
        EMPTY_TEST(a_file_that_is_no_database_is_refused),
        EMPTY_TEST(a_damaged_one_is_refused),
        EMPTY_TEST(a_missing_file_or_folder_is_said),
        EMPTY_TEST(a_url_of_no_engine_is_refused),
        EMPTY_TEST(a_read_only_file_is_said_to_be_one),
        EMPTY_TEST(a_full_disk_makes_no_half_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
