/* Copies of a store that is written to meanwhile, and what comes back of them. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "store/backup.h"
#include "store/check.h"

static char copy[160], manifest_path[160], restored[160];
static struct backup_manifest manifest;

static void remove_files(void)
{
    static const char *const NAMES[] = {"copy.db", "copy.json", "restored.db", "restored.db-wal",
                                        "restored.db-shm"};

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        char path[160];

        (void)snprintf(path, sizeof path, "%s/%s", store.dir, NAMES[i]);
        (void)unlink(path);
    }
}

static int enter_backup(void **state)
{
    (void)enter(state);
    (void)snprintf(copy, sizeof copy, "%s/copy.db", store.dir);
    (void)snprintf(manifest_path, sizeof manifest_path, "%s/copy.json", store.dir);
    (void)snprintf(restored, sizeof restored, "%s/restored.db", store.dir);
    return 0;
}

static int leave_backup(void **state)
{
    remove_files();
    return leave(state);
}

static void given_rows(int batches)
{
    static struct scored_pair pairs[1000];

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        pairs[i] = i % 100 == 0 ? flagged("i-2", "198.51.100.8") : usual("i-3", "198.51.100.9");
    for (int i = 0; i < batches; i++)
        (void)ingest(pairs, ARRAY_LEN(pairs));
}

static enum err_code back_up(int64_t bytes_per_s)
{
    struct backup_options options = {
        .database_url = store.url, .path = copy, .bytes_per_s = bytes_per_s};

    TRY(backup_make(&options, &store.arena, &manifest, &err));
    manifest.file = "copy.db";
    return backup_manifest_write(manifest_path, &manifest, &err);
}

static void tell(UNUSED void *context, UNUSED const struct check_line *line)
{
}

static int64_t faults_of(const char *path)
{
    AUTO(db_closep) struct db *db = NULL;
    int faults = -1;

    CHECK_OK(db_open(arena_printf(&store.arena, "sqlite:%s", path), DB_READ, &db, &err));
    CHECK_OK(check_store(db, tell, NULL, &faults, &err));
    return faults;
}

TEST(a_copy_comes_back_as_it_was)
{
    struct backup_manifest read;
    int64_t last;

    given_model("m1");
    given_rows(3);
    CHECK_OK(back_up(0));
    CHECK_OK(change_last_seq(store.db, &last, &err));
    given_rows(1); /* later: not in it */
    CHECK_OK(backup_manifest_read(manifest_path, &store.arena, &read, &err));
    CHECK_STR(read.file, "copy.db");
    CHECK(read.last_seq == last && read.bytes == manifest.bytes);
    CHECK_STR(read.sha256, manifest.sha256);
    CHECK_STR(read.migration, manifest.migration);
    CHECK_OK(backup_restore(copy, &read, restored, &err));
    CHECK(faults_of(restored) == 0);
    CHECK_ERR(ERR_CONFLICT, backup_restore(copy, &read, restored, &err));
    CHECK_HAS(err.text, "not overwritten");
    CHECK_ERR(ERR_CONFLICT, back_up(0));
}

static atomic_bool enough;

/* With an error of its own: the other thread has the test's. */
static enum err_code write_some(struct err *here)
{
    AUTO(tx_done) struct tx tx = {0};
    struct scored_pair pair = flagged("i-4", "198.51.100.10");
    struct ingest_batch batch = batch_of(&pair, 1);
    struct ingest_job job = {.batch = &batch};

    TRY(db_begin(store.db, &tx, here));
    for (int i = 0; i < 100; i++)
        TRY(ingest_job(store.db, &job, here));
    return tx_commit(&tx, here);
}

static void *keep_writing(void *written)
{
    struct err here = {0};

    for (int i = 0; i < 400 && !atomic_load(&enough); i++)
        if (write_some(&here) == ERR_NONE)
            ++*(int *)written;
    return NULL;
}

TEST(a_writer_does_not_begin_it_again)
{
    pthread_t thread;
    int written = 0;

    given_model("m1");
    given_rows(30);
    atomic_store(&enough, false);
    CHECK(pthread_create(&thread, NULL, keep_writing, &written) == 0);
    CHECK_OK(back_up(4 << 20));
    atomic_store(&enough, true);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(written > 0);
    CHECK(faults_of(copy) == 0);
}

TEST(a_copy_that_was_altered_is_refused)
{
    struct backup_manifest wrong;
    FILE *file;

    given_model("m1");
    given_rows(1);
    CHECK_OK(back_up(0));
    wrong = manifest;
    wrong.last_seq++;
    CHECK_ERR(ERR_CORRUPT, backup_restore(copy, &wrong, restored, &err));
    CHECK_HAS(err.text, "the chain of changes ends with");
    wrong = manifest;
    wrong.last_hash = "00";
    CHECK_ERR(ERR_CORRUPT, backup_restore(copy, &wrong, restored, &err));
    file = fopen(copy, "r+e");
    assert_non_null(file);
    CHECK(fseek(file, -5, SEEK_END) == 0 && fputc('x', file) == 'x' && fclose(file) == 0);
    CHECK_ERR(ERR_CORRUPT, backup_restore(copy, &manifest, restored, &err));
    CHECK_HAS(err.text, "its manifest says");
    CHECK(access(restored, F_OK) != 0);
    CHECK(truncate(copy, 8192) == 0);
    CHECK_ERR(ERR_CORRUPT, backup_restore(copy, &manifest, restored, &err));
}

TEST(a_stop_leaves_nothing)
{
    const atomic_bool stop = true;
    struct backup_options options = {.database_url = store.url, .path = copy, .stop = &stop};

    CHECK_ERR(ERR_CANCELLED, backup_make(&options, &store.arena, &manifest, &err));
    CHECK(access(copy, F_OK) != 0);
}

TEST(a_manifest_is_read_strictly)
{
    static const struct {
        const char *text, *said;
    } CASES[] = {
        {"", "line 1"},
        {"{}", "is missing"},
        {"{\"format\":2}", "between"},
        {"[1]", "object"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        FILE *file = fopen(manifest_path, "we");

        assert_non_null(file);
        CHECK(fputs(CASES[i].text, file) >= 0 && fclose(file) == 0);
        CHECK_ERR(ERR_INVALID, backup_manifest_read(manifest_path, &store.arena, &manifest, &err));
        CHECK_HAS(err.text, manifest_path);
        CHECK_HAS(err.text, CASES[i].said);
    }
    CHECK_ERR(ERR_NOT_FOUND, backup_manifest_read("/nonexistent", &store.arena, &manifest, &err));
}

#define BACKUP_TEST(name) cmocka_unit_test_setup_teardown(name, enter_backup, leave_backup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUP_TEST(a_copy_comes_back_as_it_was),
        BACKUP_TEST(a_writer_does_not_begin_it_again),
        BACKUP_TEST(a_copy_that_was_altered_is_refused),
        BACKUP_TEST(a_stop_leaves_nothing),
        BACKUP_TEST(a_manifest_is_read_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
