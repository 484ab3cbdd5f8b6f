/* The writer: one thread, a bounded queue, several jobs in one commit, none lost at the end. */
#include "fixture.h"

#include <pthread.h>
#include <semaphore.h>

#include "store/user.h"

enum { WAIT_MS = 10000, THREADS = 8, JOBS_EACH = 25 };

static struct writer *writer;
static sem_t entered, let_go; /* of the job that holds the writer */
static int commits;

static int enter_writer(void **state)
{
    (void)enter(state);
    CHECK_OK(writer_start(store.url, &writer, &err));
    (void)sem_init(&entered, 0, 0);
    (void)sem_init(&let_go, 0, 0);
    commits = 0;
    return 0;
}

static int leave_writer(void **state)
{
    if (writer != NULL)
        writer_stop(writer);
    writer = NULL;
    (void)sem_destroy(&entered);
    (void)sem_destroy(&let_go);
    return leave(state);
}

static enum err_code add_user(struct db *db, void *name, struct err *e)
{
    struct user_create_job job = {
        .actor = "test", .now_ms = T0, .name = name, .password_hash = "x", .role = 2};

    return user_create_job_run(db, &job, e);
}

/* Writes, and then fails: what it wrote must not stay. */
static enum err_code add_user_and_fail(struct db *db, void *name, struct err *e)
{
    TRY(add_user(db, name, e));
    return err_set(e, ERR_PRECONDITION, "the job %s changed its mind", (const char *)name);
}

static enum err_code hold(UNUSED struct db *db, UNUSED void *argument, UNUSED struct err *e)
{
    (void)sem_post(&entered);
    (void)sem_wait(&let_go);
    return ERR_NONE;
}

/* As a disk that is full does to SQLite: the transaction is gone, and the savepoint with it. */
static enum err_code end_the_transaction(struct db *db, UNUSED void *argument, struct err *e)
{
    TRY(db_script(db, "ROLLBACK", e));
    return err_set(e, ERR_FULL, "no room for this job");
}

struct call {
    pthread_t thread;
    writer_job *job;
    size_t bulk_rows; /* 0: a short job */
    char name[32];
    enum err_code code;
    struct err err;
};

static void *run_call(void *call_)
{
    struct call *call = call_;

    if (call->bulk_rows > 0)
        call->code = writer_run_bulk(writer, call->job, call->name, call->bulk_rows, &call->err);
    else
        call->code = writer_run(writer, call->job, call->name, &call->err);
    return NULL;
}

static void start_call(struct call *call, writer_job *job, const char *name)
{
    *call = (struct call){.job = job};
    (void)snprintf(call->name, sizeof call->name, "%s", name);
    CHECK(pthread_create(&call->thread, NULL, run_call, call) == 0);
}

static void start_bulk(struct call *call, writer_job *job, const char *name, size_t rows)
{
    *call = (struct call){.job = job, .bulk_rows = rows};
    (void)snprintf(call->name, sizeof call->name, "%s", name);
    CHECK(pthread_create(&call->thread, NULL, run_call, call) == 0);
}

static void end_call(struct call *call)
{
    CHECK(pthread_join(call->thread, NULL) == 0);
}

static void wait_for_depth(uint64_t depth)
{
    int64_t until_ms = clock_mono_ms() + WAIT_MS;

    while (writer_queue_depth(writer) != depth && clock_mono_ms() < until_ms)
        clock_sleep_ms(1);
    CHECK(writer_queue_depth(writer) == depth);
}

static void count_commit(UNUSED void *context)
{
    commits++;
}

static void start_holding(struct call *holder)
{
    start_call(holder, hold, "");
    CHECK(sem_wait(&entered) == 0);
}

TEST(a_job_is_committed_when_its_caller_returns)
{
    char name[] = "ann";

    CHECK_OK(writer_run(writer, add_user, name, &err));
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\"") == 1);
    CHECK_ERR(ERR_CONFLICT, writer_run(writer, add_user, name, &err));
    CHECK_HAS(err.text, "\"ann\"");
    CHECK(writer_run(writer, add_user, name, NULL) == ERR_CONFLICT);
}

TEST(jobs_that_wait_share_a_commit)
{
    struct call holder, calls[10];
    char name[32];

    writer_on_commit(writer, count_commit, NULL);
    start_holding(&holder);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof name, "u%d", i);
        start_call(&calls[i], add_user, name);
    }
    wait_for_depth(10);
    CHECK(sem_post(&let_go) == 0);
    end_call(&holder);
    for (int i = 0; i < 10; i++) {
        end_call(&calls[i]);
        CHECK(calls[i].code == ERR_NONE);
    }
    writer_on_commit(writer, NULL, NULL); /* takes the lock: the count is ours to read */
    CHECK(commits == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\"") == 10);
}

TEST(a_job_that_fails_undoes_only_itself)
{
    struct call holder, good, bad, last;

    start_holding(&holder);
    start_call(&good, add_user, "good");
    wait_for_depth(1);
    start_call(&bad, add_user_and_fail, "bad");
    wait_for_depth(2);
    start_call(&last, add_user, "last");
    wait_for_depth(3);
    CHECK(sem_post(&let_go) == 0);
    end_call(&holder);
    end_call(&good);
    end_call(&bad);
    end_call(&last);
    CHECK(good.code == ERR_NONE && last.code == ERR_NONE && bad.code == ERR_PRECONDITION);
    CHECK_STR(bad.err.text, "the job bad changed its mind");
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\" WHERE name <> 'bad'") == 2);
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\"") == 2);
    CHECK(sql_int("SELECT COUNT(*) = MAX(seq) FROM change") == 1); /* no gap where bad was */
    CHECK_OK(change_verify(store.reader, &err));
}

TEST(a_transaction_that_fails_fails_all_its_jobs_with_the_reason)
{
    struct call holder, before, breaking, after;
    char name[] = "later";

    start_holding(&holder);
    start_call(&before, add_user, "before");
    wait_for_depth(1);
    start_call(&breaking, end_the_transaction, "");
    wait_for_depth(2);
    start_call(&after, add_user, "after");
    wait_for_depth(3);
    CHECK(sem_post(&let_go) == 0);
    end_call(&holder);
    end_call(&before);
    end_call(&breaking);
    end_call(&after);
    CHECK(before.code == ERR_FULL && breaking.code == ERR_FULL && after.code == ERR_FULL);
    CHECK_STR(before.err.text, "no room for this job");
    CHECK_STR(after.err.text, "no room for this job");
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\"") == 0);
    CHECK_OK(writer_run(writer, add_user, name, &err));
}

/* Users are numbered in the order they were added. */
static int64_t place_of(const char *name)
{
    return sql_int(arena_printf(&store.arena, "SELECT id FROM \"user\" WHERE name = '%s'", name));
}

TEST(short_jobs_go_before_bulk_ones_that_waited_longer)
{
    struct call holder, bulk[3], brief[2];

    writer_on_commit(writer, count_commit, NULL);
    start_holding(&holder);
    for (int i = 0; i < 3; i++) {
        start_bulk(&bulk[i], add_user, (const char *[]){"b0", "b1", "b2"}[i], WRITER_BULK_ROWS / 2);
        wait_for_depth((uint64_t)i + 1);
    }
    start_call(&brief[0], add_user, "s0");
    wait_for_depth(4);
    start_call(&brief[1], add_user, "s1");
    wait_for_depth(5);
    CHECK(sem_post(&let_go) == 0);
    end_call(&holder);
    for (int i = 0; i < 3; i++)
        end_call(&bulk[i]);
    end_call(&brief[0]);
    end_call(&brief[1]);
    writer_on_commit(writer, NULL, NULL);
    CHECK(place_of("s0") == 1 && place_of("s1") == 2);
    CHECK(place_of("b0") == 3 && place_of("b1") == 4 && place_of("b2") == 5);
    CHECK(commits == 4); /* the holder, both short ones, two bulk ones, the third */
}

TEST(bulk_has_its_turn_among_many_short_jobs)
{
    enum { SHORT = WRITER_GROUP_MAX * (WRITER_BRIEF_GROUPS + 2) };
    static struct call brief[SHORT];
    struct call holder, bulk;
    char name[32];

    start_holding(&holder);
    start_bulk(&bulk, add_user, "bulk", 100 * WRITER_BULK_ROWS); /* goes alone */
    wait_for_depth(1);
    for (int i = 0; i < SHORT; i++) {
        (void)snprintf(name, sizeof name, "u%d", i);
        start_call(&brief[i], add_user, name);
    }
    wait_for_depth(SHORT + 1);
    CHECK(sem_post(&let_go) == 0);
    end_call(&holder);
    end_call(&bulk);
    for (int i = 0; i < SHORT; i++)
        end_call(&brief[i]);
    CHECK(bulk.code == ERR_NONE);
    /* the holder's was the first of the groups in a row */
    CHECK(place_of("bulk") == WRITER_GROUP_MAX * (WRITER_BRIEF_GROUPS - 1) + 1);
}

TEST(a_full_queue_says_so_at_once)
{
    static struct call calls[WRITER_QUEUE_MAX];
    struct call holder;
    char name[32] = "one too many";

    start_holding(&holder);
    for (int i = 0; i < WRITER_QUEUE_MAX; i++) {
        (void)snprintf(name, sizeof name, "u%d", i);
        start_call(&calls[i], add_user, name);
    }
    wait_for_depth(WRITER_QUEUE_MAX);
    CHECK_ERR(ERR_BUSY, writer_run(writer, add_user, name, &err));
    CHECK_HAS(err.text, "try again");
    CHECK(sem_post(&let_go) == 0);
    end_call(&holder);
    for (int i = 0; i < WRITER_QUEUE_MAX; i++) {
        end_call(&calls[i]);
        CHECK(calls[i].code == ERR_NONE);
    }
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\"") == WRITER_QUEUE_MAX);
    CHECK(writer_queue_depth(writer) == 0);
}

static void *stop(UNUSED void *argument)
{
    writer_stop(writer);
    return NULL;
}

TEST(a_stop_runs_what_is_queued)
{
    struct call holder, calls[5];
    pthread_t stopper;
    char name[32];

    start_holding(&holder);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "u%d", i);
        start_call(&calls[i], add_user, name);
    }
    wait_for_depth(5);
    CHECK(pthread_create(&stopper, NULL, stop, NULL) == 0);
    CHECK(sem_post(&let_go) == 0);
    end_call(&holder);
    for (int i = 0; i < 5; i++) {
        end_call(&calls[i]);
        CHECK(calls[i].code == ERR_NONE);
    }
    CHECK(pthread_join(stopper, NULL) == 0);
    writer = NULL;
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\"") == 5);
}

static void *run_many(void *number)
{
    char name[32];
    struct err mine;
    int failed = 0;

    for (int i = 0; i < JOBS_EACH; i++) {
        (void)snprintf(name, sizeof name, "u%d-%d", *(int *)number, i);
        failed += writer_run(writer, i % 5 == 4 ? add_user_and_fail : add_user, name, &mine) !=
                  (i % 5 == 4 ? ERR_PRECONDITION : ERR_NONE);
    }
    *(int *)number = failed;
    return NULL;
}

TEST(many_threads_leave_no_gap_in_the_feed)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, run_many, &numbers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(numbers[i] == 0);
    }
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\"") == THREADS * JOBS_EACH * 4 / 5);
    CHECK(sql_int("SELECT COUNT(*) = MAX(seq) AND MIN(seq) = 1 FROM change") == 1);
    CHECK_OK(change_verify(store.reader, &err));
}

static int write_users(const char *prefix)
{
    char name[32];
    int failed = 0;

    CHECK_OK(writer_start(store.url, &writer, &err));
    for (int i = 0; i < JOBS_EACH; i++) {
        (void)snprintf(name, sizeof name, "%s-%d", prefix, i);
        failed += writer_run(writer, add_user, name, &err) != ERR_NONE;
    }
    return failed;
}

TEST(two_processes_write_in_turn)
{
    pid_t child;
    int status = -1;

    writer_stop(writer); /* threads do not survive a fork, nor does SQLite */
    writer = NULL;
    store_close();
    child = fork();
    if (child == 0)
        _exit(write_users("child"));
    CHECK(write_users("parent") == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    store_open();
    CHECK(sql_int("SELECT COUNT(*) FROM \"user\"") == INT64_C(2) * JOBS_EACH);
    CHECK_OK(change_verify(store.reader, &err));
}

#define WRITER_TEST(name) cmocka_unit_test_setup_teardown(name, enter_writer, leave_writer)

static enum err_code meet_damage(UNUSED struct db *db, UNUSED void *argument, struct err *e)
{
    return err_set(e, ERR_CORRUPT, "a page is damaged");
}

/* A job that failed by itself tells of itself alone; damage is everybody's, and stays. */
TEST(damage_that_one_job_meets_is_told_although_others_succeed)
{
    struct err told = {0};
    char ann[] = "ann", ben[] = "ben";

    CHECK_ERR(ERR_PRECONDITION, writer_run(writer, add_user_and_fail, ann, &err));
    CHECK_OK(writer_trouble(writer, &told));
    CHECK_ERR(ERR_CORRUPT, writer_run(writer, meet_damage, NULL, &err));
    CHECK_OK(writer_run(writer, add_user, ben, &err));
    CHECK(writer_trouble(writer, &told) == ERR_CORRUPT);
    CHECK_STR(told.text, "a page is damaged");
}

static enum err_code do_nothing(UNUSED struct db *db, UNUSED void *argument, UNUSED struct err *e)
{
    return ERR_NONE;
}

/* A run is being made of a chunk that is damaged. */
static void given_damaged_run(void)
{
    enum { PAIRS = 3000 };
    static struct scored_pair pairs[PAIRS];

    given_model("m1");
    for (int i = 0; i < PAIRS; i++)
        pairs[i] = usual("i-0", "192.0.2.1");
    (void)ingest(pairs, PAIRS);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_source") > 0);
    sql_run("UPDATE observation_chunk SET body = x'00'");
    sql_run("INSERT INTO pair_run (level, state, entity_at, ip_at, pairs, sightings, last_ms)"
            " VALUES (1, 0, -1, zeroblob(16), 0, 0, 0)");
    sql_run("UPDATE pair_source SET run_id = (SELECT MAX(id) FROM pair_run)");
}

TEST(damage_that_the_runs_of_pairs_meet_is_told_and_set_apart)
{
    int64_t until_ms = clock_mono_ms() + WAIT_MS;
    struct err told = {0};

    given_damaged_run();
    CHECK_OK(writer_run_bulk(writer, do_nothing, NULL, 1, &err));
    while (sql_int("SELECT COUNT(*) FROM pair_run") > 0 && clock_mono_ms() < until_ms)
        clock_sleep_ms(1);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_run") == 0);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_source WHERE run_id = -1") > 0);
    CHECK(writer_trouble(writer, &told) == ERR_CORRUPT);
    CHECK_HAS(told.text, "observation_chunk ");
}

TEST(less_than_a_run_of_pairs_is_made_one_when_nothing_else_is_to_do)
{
    enum { PAIRS = 20000, EACH = 5000 };
    static struct scored_pair pairs[EACH];
    int64_t until_ms = clock_mono_ms() + WAIT_MS;

    given_model("m1");
    for (int from = 0; from < PAIRS; from += EACH) {
        for (int i = 0; i < EACH; i++) {
            pairs[i] = usual("i-0", "192.0.2.1");
            pairs[i].ip = ip_from_v4(0x0a000000 + (uint32_t)(from + i));
        }
        (void)ingest(pairs, EACH);
    }
    CHECK_OK(writer_run_bulk(writer, do_nothing, NULL, 1, &err));
    while (sql_int("SELECT COUNT(*) FROM pair_source") > 0 && clock_mono_ms() < until_ms)
        clock_sleep_ms(1);
    CHECK(sql_int("SELECT COUNT(*) FROM pair_source") == 0);
    CHECK(sql_int("SELECT CAST(SUM(pairs) AS BIGINT) FROM pair_run WHERE by_address = 0") == PAIRS);
}

TEST(space_is_given_back_when_nothing_else_is_to_do)
{
    int64_t until_ms = clock_mono_ms() + WAIT_MS;
    struct db_space before_, after_;

    if (store.postgres != NULL)
        return; /* it does so by itself */
    sql_run("CREATE TABLE large (bytes BLOB)");
    sql_run("INSERT INTO large VALUES (zeroblob(30000000))");
    sql_run("DELETE FROM large");
    CHECK_OK(db_space(store.reader, &before_, &err));
    CHECK(before_.free > 2 * WRITER_SPACE_PAGES);
    CHECK_OK(writer_run_bulk(writer, do_nothing, NULL, 1, &err));
    do {
        clock_sleep_ms(1);
        CHECK_OK(db_space(store.reader, &after_, &err));
    } while (after_.free > WRITER_SPACE_PAGES && clock_mono_ms() < until_ms);
    CHECK(after_.free <= WRITER_SPACE_PAGES);
    CHECK(after_.file_bytes < before_.file_bytes / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITER_TEST(a_job_is_committed_when_its_caller_returns),
        WRITER_TEST(jobs_that_wait_share_a_commit),
        WRITER_TEST(a_job_that_fails_undoes_only_itself),
        WRITER_TEST(a_transaction_that_fails_fails_all_its_jobs_with_the_reason),
        WRITER_TEST(short_jobs_go_before_bulk_ones_that_waited_longer),
        WRITER_TEST(bulk_has_its_turn_among_many_short_jobs),
        WRITER_TEST(a_full_queue_says_so_at_once),
        WRITER_TEST(a_stop_runs_what_is_queued),
        WRITER_TEST(many_threads_leave_no_gap_in_the_feed),
        WRITER_TEST(two_processes_write_in_turn),
        WRITER_TEST(damage_that_one_job_meets_is_told_although_others_succeed),
        WRITER_TEST(damage_that_the_runs_of_pairs_meet_is_told_and_set_apart),
        WRITER_TEST(less_than_a_run_of_pairs_is_made_one_when_nothing_else_is_to_do),
        WRITER_TEST(space_is_given_back_when_nothing_else_is_to_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
