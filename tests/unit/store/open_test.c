/* Opening, migrating and the writer: what goes wrong says what to do. */
#include "fixture.h"

#include <pthread.h>
#include <sys/stat.h>

#include "store/db_backend.h"
#include "store/user.h"
#include "store/writer.h"

TEST(no_database_to_read)
{
    struct db *db = NULL;

    CHECK_ERR(ERR_NOT_FOUND, db_open("sqlite:/nonexistent/x.db", DB_READ, &db, &err));
    CHECK_HAS(err.text, "/nonexistent/x.db");
    CHECK_ERR(ERR_INVALID, db_open("mysql:x", DB_READ, &db, &err));
    CHECK_HAS(err.text, "sqlite:FILE");
}

TEST(not_a_database)
{
    char path[] = "/tmp/pairwatch-junk-XXXXXX";
    char url[64];
    int file = mkstemp(path);

    for (int i = 0; i < 1000; i++)
        CHECK(write(file, "this is no database\n", 20) == 20);
    (void)close(file);
    (void)snprintf(url, sizeof url, "sqlite:%s", path);
    CHECK_ERR(ERR_CORRUPT, migrate_run(url, &err));
    CHECK_HAS(err.text, "name another file");
    (void)unlink(path);
}

TEST(an_altered_or_newer_database_is_refused)
{
    AUTO(fixture_done) struct fixture f;

    fixture_open(&f);
    CHECK_OK(migrate_run(f.url, &err));
    CHECK_OK(
        db_script(f.db, "INSERT INTO schema_migration VALUES ('9999_later.sql', 'x', 1)", &err));
    CHECK_ERR(ERR_INVALID, migrate_run(f.url, &err));
    CHECK_HAS(err.text, "9999_later.sql");
    CHECK_OK(db_script(f.db,
                       "DELETE FROM schema_migration WHERE name = '9999_later.sql';"
                       "UPDATE schema_migration SET checksum = 'x'",
                       &err));
    CHECK_ERR(ERR_INVALID, migrate_run(f.url, &err));
    CHECK_HAS(err.text, "altered");
    CHECK_OK(db_script(f.db, "DELETE FROM schema_migration", &err));
    CHECK_ERR(ERR_INVALID, migrate_check(f.db, &err));
    CHECK_HAS(err.text, "pairwatch migrate");
}

TEST(a_reader_cannot_write)
{
    AUTO(fixture_done) struct fixture f;
    AUTO(db_closep) struct db *reader = NULL;

    fixture_open(&f);
    CHECK_OK(db_open(f.url, DB_READ, &reader, &err));
    CHECK_ERR(ERR_FULL, db_script(reader, "DELETE FROM change", &err));
}

static enum err_code add_user(struct db *db, void *name, struct err *e)
{
    struct user_create_job job = {.actor = "test",
                                  .now_ms = FIXTURE_NOW_MS,
                                  .name = name,
                                  .password_hash = "scrypt$x",
                                  .role = 4};

    return user_create_job_run(db, &job, e);
}

static void *many_users(void *writer)
{
    char name[32];
    struct err ignored;

    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "u%d-%lx", i, (unsigned long)pthread_self());
        if (writer_run(writer, add_user, name, &ignored) != ERR_NONE)
            return writer;
    }
    return NULL;
}

TEST(the_writer_commits_for_many)
{
    AUTO(fixture_done) struct fixture f;
    struct writer *writer;
    pthread_t threads[4];
    char twice[] = "ana";
    int64_t count, last;

    fixture_open(&f);
    CHECK_OK(writer_start(f.url, &writer, &err));
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, many_users, writer) == 0);
    for (int i = 0; i < 4; i++) {
        void *failed;

        CHECK(pthread_join(threads[i], &failed) == 0 && failed == NULL);
    }
    CHECK_OK(writer_run(writer, add_user, twice, &err));
    CHECK_ERR(ERR_CONFLICT, writer_run(writer, add_user, twice, &err));
    CHECK_HAS(err.text, "ana");
    writer_stop(writer);
    CHECK_OK(user_count(f.db, &count, &err));
    CHECK(count == 81);
    CHECK_OK(change_last_seq(f.db, &last, &err));
    CHECK(last == 82); /* and the model: without a gap */
    CHECK_OK(change_verify(f.db, &err));
}

TEST(the_last_administrator_stays)
{
    AUTO(fixture_done) struct fixture f;
    struct user_update_job job = {
        .actor = "test", .now_ms = FIXTURE_NOW_MS, .name = "ana", .role = -1, .disabled = 1};
    char name[] = "ana", other[] = "bo";

    fixture_open(&f);
    CHECK_OK(in_transaction(f.db, add_user, name));
    CHECK(in_transaction(f.db, user_update_job_run, &job) == ERR_CONFLICT);
    CHECK_OK(in_transaction(f.db, add_user, other));
    CHECK_OK(in_transaction(f.db, user_update_job_run, &job));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_database_to_read),
        cmocka_unit_test(not_a_database),
        cmocka_unit_test(an_altered_or_newer_database_is_refused),
        cmocka_unit_test(a_reader_cannot_write),
        cmocka_unit_test(the_writer_commits_for_many),
        cmocka_unit_test(the_last_administrator_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
