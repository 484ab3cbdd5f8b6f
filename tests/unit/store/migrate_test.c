/* Opening: fresh, older, newer, altered, another program's. Each refusal is one line that says what
 * and what to do. */
#include "fixture.h"

enum { CHILDREN = 4 };

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

TEST(a_fresh_one_is_made_and_stays_as_it_is)
{
    CHECK_OK(start());
    store_open();
    CHECK(sql_int("SELECT COUNT(*) FROM schema_migration WHERE length(checksum) = 64"
                  " AND name = '0001_initial.sql' AND applied_ms > 0") == 1);
    CHECK(sql_int("SELECT COUNT(*) FROM schema_migration") ==
          sql_int("SELECT COUNT(*) FROM schema_migration WHERE name LIKE '0___!_%' ESCAPE '!'"));
    CHECK_OK(start());
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
    CHECK(sql_int(sql_of_tables("AND name = 'schema_migration'")) == 0);
}

TEST(another_programs_database_is_left_alone)
{
    CHECK_OK(db_open_bare(store.url, DB_WRITE, &store.db, &err));
    sql_run("CREATE TABLE bookmarks (url TEXT)");
    store_close();
    CHECK_ERR(ERR_INVALID, start());
    CHECK_HAS(err.text, "another program");
    CHECK_OK(db_open_bare(store.url, DB_READ, &store.reader, &err));
    CHECK(sql_int(sql_of_tables("")) == 1);
}

TEST(a_url_of_no_engine_is_refused)
{
    static const char *const BAD[] = {"", "sqlite", "sqlite:", "store.db", "mysql://h/d"};

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        CHECK_ERR(ERR_INVALID, migrate_run(BAD[i], &err));
        CHECK_HAS(err.text, "a database is sqlite:FILE");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMPTY_TEST(a_fresh_one_is_made_and_stays_as_it_is),
        EMPTY_TEST(several_processes_may_make_it_at_once),
        EMPTY_TEST(one_of_a_newer_version_is_refused),
        EMPTY_TEST(an_altered_migration_is_refused),
        EMPTY_TEST(one_of_an_older_version_is_refused_until_migrated),
        EMPTY_TEST(tables_without_their_record_are_left_alone),
        EMPTY_TEST(another_programs_database_is_left_alone),
        EMPTY_TEST(a_url_of_no_engine_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
