/* The folder as a queue: order, what is passed over, what comes again. */
#include "check.h"
#include "folder.h"

#include "base/arena.h"
#include "base/clock.h"
#include "lake/notice.h"
#include "lake/scan.h"

enum { ROUND = 8 };

static struct arena ARENA;
static struct notice NOTICES[ROUND];
static size_t COUNT;
static bool DRAINED;

static struct queue *open_queue(const struct queue_options *options)
{
    char url[FOLDER_PATH_BYTES + 8];
    struct queue *queue = NULL;
    struct err err = {0};

    (void)snprintf(url, sizeof url, "dir:%s", FOLDER);
    CHECK_OK(queue_open(url, options, &queue, &err));
    return queue;
}

static void receive(struct queue *queue, size_t max, int64_t wait_ms)
{
    struct err err = {0};

    memset(NOTICES, 0x20, sizeof NOTICES); /* whatever was there before */
    CHECK_OK(queue_receive(queue, max, wait_ms, &ARENA, NOTICES, &COUNT, &DRAINED, &err));
    for (size_t i = 0; i < COUNT; i++)
        CHECK(NOTICES[i].etag == NULL && NOTICES[i].region == NULL);
}

static int set_up(void **state)
{
    arena_init(&ARENA, 1 << 20);
    return folder_make(state);
}

static int tear_down(void **state)
{
    arena_done(&ARENA);
    return folder_drop(state);
}

TEST(once_hands_out_in_key_order_then_ends)
{
    static const char *const WANTED[] = {"a-b.json",       "a.json",       "a/b.parquet",
                                         "a/c.gz.parquet", "a0.ndjson.gz", "b/x/y.jsonl"};
    AUTO(queue_closep) struct queue *queue = NULL;

    for (size_t i = ARRAY_LEN(WANTED); i-- > 0;)
        (void)folder_write(WANTED[i], "{}");
    (void)folder_write("labels.csv", "x");
    (void)folder_write(".hidden.json", "x");
    (void)folder_write(".git/x.json", "x");
    (void)folder_write("b/z.parquet.tmp", "x");
    (void)folder_write("c.tmp/z.parquet", "x");
    (void)folder_write("json", "x");
    CHECK(mkfifo(folder_path("p.parquet"), 0600) == 0);
    CHECK(symlink("..", folder_path("b/circle")) == 0);
    CHECK(symlink("nowhere", folder_path("b/dangling.json")) == 0);

    queue = open_queue(&(struct queue_options){.once = true});
    receive(queue, 4, 0);
    CHECK(COUNT == 4 && !DRAINED);
    for (size_t i = 0; i < 4; i++)
        CHECK_STR(NOTICES[i].key, WANTED[i]);
    CHECK_STR(NOTICES[0].path, folder_path(WANTED[0]));
    CHECK_STR(NOTICES[0].bucket, FOLDER);
    CHECK(NOTICES[0].size_bytes == 2);
    receive(queue, 4, 0);
    CHECK(COUNT == 2 && !DRAINED);
    CHECK_STR(NOTICES[0].key, WANTED[4]);
    CHECK_STR(NOTICES[1].key, WANTED[5]);
    receive(queue, 4, 0);
    CHECK(COUNT == 0 && DRAINED);
}

TEST(what_is_kept_comes_again)
{
    AUTO(queue_closep) struct queue *queue = NULL;

    (void)folder_write("a.json", "{}");
    (void)folder_write("b.json", "{}");
    queue = open_queue(&(struct queue_options){.once = true});
    receive(queue, ROUND, 0);
    CHECK(COUNT == 2);
    queue_done(queue, &NOTICES[0], QUEUE_DEALT);
    queue_done(queue, &NOTICES[1], QUEUE_KEEP);
    receive(queue, ROUND, 0);
    CHECK(COUNT == 1 && !DRAINED);
    CHECK_STR(NOTICES[0].key, "b.json");
    queue_done(queue, &NOTICES[0], QUEUE_DEALT);
    receive(queue, ROUND, 0);
    CHECK(COUNT == 0 && DRAINED);
}

TEST(watching_sees_new_and_changed_files)
{
    AUTO(queue_closep) struct queue *queue = open_queue(&(struct queue_options){.poll_ms = 1});

    receive(queue, ROUND, 0);
    CHECK(COUNT == 0 && !DRAINED);
    (void)folder_write("a.json", "{}");
    receive(queue, ROUND, 2000);
    CHECK(COUNT == 1);
    receive(queue, ROUND, 5);
    CHECK(COUNT == 0 && !DRAINED);
    (void)folder_write("a.json", "{ }");
    receive(queue, ROUND, 2000);
    CHECK(COUNT == 1 && NOTICES[0].size_bytes == 3);
}

TEST(days_bound_what_is_read)
{
    AUTO(queue_closep) struct queue *queue = NULL;
    struct queue_options options = {.once = true};

    CHECK(time_parse("2026-01-02T00:00:00Z", &options.since_day_ms));
    CHECK(time_parse("2026-01-03T00:00:00Z", &options.until_day_ms));
    (void)folder_write("x/eventDay=20260101/a.json", "{}");
    (void)folder_write("x/eventDay=20260102/a.json", "{}");
    (void)folder_write("x/eventDay=20260103/a.json", "{}");
    (void)folder_write("x/eventDay=soon/a.json", "{}");
    queue = open_queue(&options);
    receive(queue, ROUND, 0);
    CHECK(COUNT == 2);
    CHECK_STR(NOTICES[0].key, "x/eventDay=20260102/a.json");
    CHECK_STR(NOTICES[1].key, "x/eventDay=soon/a.json");
}

TEST(queue_open_says_what_is_wrong)
{
    struct queue_options options = {0};
    struct queue *queue = NULL;
    struct err err = {0};

    CHECK_ERR(ERR_INVALID, queue_open("sqs:", &options, &queue, &err));
    CHECK_ERR(ERR_NOT_FOUND, queue_open("dir:/nowhere/at/all", &options, &queue, &err));
    CHECK_ERR(ERR_NOT_FOUND, queue_open("dir:/dev/null", &options, &queue, &err));
    CHECK_HAS(err.text, "not a folder");
}

TEST(seen_forgets_what_is_removed_and_grows)
{
    struct seen seen = {0};

    for (int64_t i = 0; i < 3000; i++)
        seen_add(&seen, fingerprint_of("a/key", (uint64_t)i, i));
    for (int64_t i = 0; i < 3000; i += 2)
        seen_remove(&seen, fingerprint_of("a/key", (uint64_t)i, i));
    for (int64_t i = 3000; i < 6000; i++)
        seen_add(&seen, fingerprint_of("a/key", (uint64_t)i, i));
    for (int64_t i = 0; i < 6000; i++)
        CHECK(seen_has(&seen, fingerprint_of("a/key", (uint64_t)i, i)) ==
              (i >= 3000 || i % 2 != 0));
    CHECK(!seen_has(&seen, fingerprint_of("another", 1, 1)));
    seen_done(&seen);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test_setup_teardown(once_hands_out_in_key_order_then_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_comes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(watching_sees_new_and_changed_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(days_bound_what_is_read, set_up, tear_down),
        cmocka_unit_test(queue_open_says_what_is_wrong),
        cmocka_unit_test(seen_forgets_what_is_removed_and_grows),
    };

    return cmocka_run_group_tests_name("notice", TESTS, NULL, NULL);
}
