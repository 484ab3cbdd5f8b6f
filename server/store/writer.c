/* Jobs live on their callers' stacks: a caller waits until its job is done, so nothing is copied
 * and nothing is freed. */
#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/thread.h"
#include "store/db.h"
#include "store/db_backend.h"
#include "store/pair_run.h"

enum { KEEPER_MS = 200 }; /* between two looks */
/* Behind those who read, who are gone again in a moment. */
enum { WRITER_NICE = 7, KEEPER_NICE = 9 };

struct job {
    writer_job *run;
    void *argument;
    size_t rows;
    enum err_code code;
    struct err err;
    bool done;
};

struct queue { /* a ring */
    struct job *jobs[WRITER_QUEUE_MAX];
    size_t first, count;
};

struct writer {
    struct db *db; /* the writer thread's own */
    pthread_t thread;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t work, finished;
    struct queue brief, bulk;
    unsigned brief_groups; /* since the last one of bulk */
    size_t owed;           /* rows to be read for the runs of pairs; 0: nothing is due */
    bool rest;             /* and whatever is left is due */
    bool rested;           /* nothing was stored in bulk since that was asked for */
    size_t callers; /* inside writer_run: they touch the writer once more after their job is done */
    bool stopping;
    bool has_thread, has_keeper; /* of those that start and stop it alone */
    pthread_t keeper;            /* puts the log into the file, so that no commit has to */
    struct db *keeper_db;        /* its own; NULL: the engine needs none */
    pthread_cond_t committed;
    bool unkept; /* something was committed since it looked */
    void (*on_commit)(void *context);
    void *on_commit_context;
    struct err trouble; /* of the last group, when nothing could be stored */
    int64_t trouble_ms; /* monotonic */
    struct err logged;  /* last, of the runs of pairs; the writer thread's own */
};

/* Some failures (a full disk) end the whole transaction and the savepoint with it: then the job's
 * own sentence is the one that tells why. */
static enum err_code run_one(struct db *db, struct job *job, struct err *err)
{
    enum err_code code;

    TRY(db_savepoint(db, err));
    job->code = job->run(db, job->argument, &job->err);
    code = db_savepoint_end(db, job->code == ERR_NONE, err);
    if (code != ERR_NONE && job->code != ERR_NONE) {
        *err = job->err;
        return job->code;
    }
    return code;
}

static enum err_code run_group(struct db *db, struct job **jobs, size_t count, struct err *err)
{
    AUTO(tx_done) struct tx tx = {0};

    TRY(db_begin(db, &tx, err));
    for (size_t i = 0; i < count; i++)
        TRY(run_one(db, jobs[i], err));
    return tx_commit(&tx, err);
}

/* What failed is the transaction: every job of it failed with it. */
static void fail_all(struct job **jobs, size_t count, const struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        jobs[i]->code = err->code;
        jobs[i]->err = *err;
    }
}

/* From the front, until the next one would be too many rows; a job of more than that goes alone. */
static size_t take_from(struct queue *queue, struct job **ret)
{
    size_t count = 0, rows = 0;

    while (queue->count > 0 && count < WRITER_GROUP_MAX) {
        struct job *next = queue->jobs[queue->first];

        if (count > 0 && rows + next->rows > WRITER_BULK_ROWS)
            break;
        rows += next->rows;
        ret[count++] = next;
        queue->first = (queue->first + 1) % WRITER_QUEUE_MAX;
        queue->count--;
    }
    return count;
}

static size_t take_group(struct writer *writer, struct job **ret)
{
    bool turn = writer->brief_groups >= WRITER_BRIEF_GROUPS && writer->bulk.count > 0;
    bool brief = writer->brief.count > 0 && !turn;

    writer->brief_groups = brief ? writer->brief_groups + 1 : 0;
    return take_from(brief ? &writer->brief : &writer->bulk, ret);
}

/* Under the lock. */
static void note_trouble(struct writer *writer, enum err_code code, const struct err *err)
{
    if (code == ERR_FULL || code == ERR_IO || code == ERR_CORRUPT) {
        writer->trouble = *err;
        writer->trouble_ms = clock_mono_ms();
    } else if (code == ERR_NONE && writer->trouble.code != ERR_CORRUPT) {
        writer->trouble.code = ERR_NONE;
    }
}

/* Under the lock. A damaged page fails the job that meets it, and its transaction goes on without
 * it; nor does it heal by what succeeds elsewhere. */
static void note_damage(struct writer *writer, struct job **jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (jobs[i]->code == ERR_CORRUPT)
            note_trouble(writer, ERR_CORRUPT, &jobs[i]->err);
}

/* Under the lock: what was stored in bulk is to be found, too. */
static void owe(struct writer *writer, struct job **jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        writer->owed += jobs[i]->rows * WRITER_PAIR_ROWS;
    if (writer->owed > WRITER_OWED_MAX)
        writer->owed = WRITER_OWED_MAX;
    if (writer->owed > 0)
        writer->rest = writer->rested = false;
}

static void finish_group(struct writer *writer, struct job **jobs, size_t count)
{
    struct err err = {0};
    enum err_code code = run_group(writer->db, jobs, count, &err);

    if (code != ERR_NONE)
        fail_all(jobs, count, &err);
    (void)pthread_mutex_lock(&writer->lock);
    note_trouble(writer, code, &err);
    note_damage(writer, jobs, count);
    owe(writer, jobs, count);
    if (code == ERR_NONE && writer->on_commit != NULL)
        writer->on_commit(writer->on_commit_context);
    writer->unkept = true;
    (void)pthread_cond_signal(&writer->committed);
    for (size_t i = 0; i < count; i++)
        jobs[i]->done = true;
    (void)pthread_cond_broadcast(&writer->finished);
    (void)pthread_mutex_unlock(&writer->lock);
}

static enum err_code step_pairs(struct db *db, bool rest, struct pair_progress *ret,
                                struct err *err)
{
    AUTO(tx_done) struct tx tx = {0};

    TRY(db_begin_unhurried(db, &tx, err));
    TRY(pair_step(db, &PAIR_SIZES, rest, ret, err));
    return tx_commit(&tx, err);
}

static enum err_code set_apart(struct db *db, const struct pair_damage *damage, struct err *err)
{
    AUTO(tx_done) struct tx tx = {0};

    TRY(db_begin(db, &tx, err));
    TRY(pair_set_apart(db, damage, err));
    return tx_commit(&tx, err);
}

/* Once, and not at every attempt. */
static void log_failure(struct writer *writer, const struct err *err)
{
    if (strcmp(err->text, writer->logged.text) == 0)
        return;
    writer->logged = *err;
    log_warn("what the store does when it has time fails", "reason=%s", log_quote(err->text));
}

/* Pages that merged runs left are taken by what is stored next, but when nothing is. */
static enum err_code step_space(struct db *db, bool *ret_more, struct err *err)
{
    AUTO(tx_done) struct tx tx = {0};
    struct db_space space;

    TRY(db_space(db, &space, err));
    *ret_more = space.free > WRITER_SPACE_PAGES &&
                (space.file_bytes - space.used_bytes) * WRITER_SPARE_SHARE > space.used_bytes;
    if (!*ret_more)
        return ERR_NONE;
    TRY(db_begin_unhurried(db, &tx, err));
    TRY(db_release(db, WRITER_SPACE_PAGES, &space, err));
    *ret_more = space.released > 0;
    return tx_commit(&tx, err);
}

/* A step of the runs of pairs, for which nobody waits. When it fails the sources stay to be read;
 * the next bulk job has it tried again, or without what is damaged this goes on. */
static void pay(struct writer *writer, bool rest)
{
    struct err err = {0}, apart = {0};
    struct pair_progress progress = {0};
    enum err_code code = step_pairs(writer->db, rest, &progress, &err);
    bool more = progress.more;

    if (code == ERR_NONE && rest && !more)
        code = step_space(writer->db, &more, &err);
    if (code != ERR_NONE) {
        log_failure(writer, &err);
        more = code == ERR_CORRUPT && progress.damage.run_id != 0 &&
               set_apart(writer->db, &progress.damage, &apart) == ERR_NONE;
    }
    (void)pthread_mutex_lock(&writer->lock);
    if (code != ERR_NONE)
        note_trouble(writer, code, &err);
    writer->owed = !more ? 0 : writer->owed > PAIR_STEP_ROWS ? writer->owed - PAIR_STEP_ROWS : 1;
    writer->unkept = true;
    (void)pthread_cond_signal(&writer->committed);
    (void)pthread_mutex_unlock(&writer->lock);
}

/* Under the lock: after short jobs; before bulk ones as far as they made it due. */
static bool is_pay_day(const struct writer *writer)
{
    if (writer->owed == 0 || writer->stopping || writer->brief.count > 0)
        return false;
    return writer->owed >= PAIR_STEP_ROWS || writer->bulk.count == 0;
}

static void in_ms(struct timespec *ret, int ms)
{
    (void)clock_gettime(CLOCK_MONOTONIC, ret);
    ret->tv_nsec += (long)(ms % 1000) * 1000000;
    ret->tv_sec += ms / 1000 + ret->tv_nsec / 1000000000;
    ret->tv_nsec %= 1000000000;
}

/* Under the lock. When nothing was to do for a while, what is left of the runs is. */
static void pause_writer(struct writer *writer)
{
    struct timespec until;

    if (writer->rested) {
        (void)pthread_cond_wait(&writer->work, &writer->lock);
        return;
    }
    in_ms(&until, WRITER_REST_MS);
    if (pthread_cond_timedwait(&writer->work, &writer->lock, &until) != ETIMEDOUT)
        return;
    writer->rest = writer->rested = true;
    writer->owed = 1;
}

/* 0 jobs: it stops, or *ret_pays. */
static size_t wait_for_work(struct writer *writer, struct job **ret, bool *ret_pays, bool *ret_rest)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&writer->lock);
    while (writer->brief.count + writer->bulk.count + writer->owed == 0 && !writer->stopping)
        pause_writer(writer);
    *ret_pays = is_pay_day(writer);
    *ret_rest = writer->rest;
    if (!*ret_pays)
        count = take_group(writer, ret);
    (void)pthread_mutex_unlock(&writer->lock);
    return count;
}

static void *writer_main(void *argument)
{
    struct writer *writer = argument;

    thread_yield_to_others(WRITER_NICE);
    for (;;) {
        struct job *jobs[WRITER_GROUP_MAX];
        bool pays, rest;
        size_t count = wait_for_work(writer, jobs, &pays, &rest);

        if (pays)
            pay(writer, rest);
        else if (count > 0)
            finish_group(writer, jobs, count);
        else
            return NULL;
    }
}

/* KEEPER_MS go by, or the writer stops. Under the lock. */
static void pause_keeper(struct writer *writer)
{
    struct timespec until;

    in_ms(&until, KEEPER_MS);
    while (!writer->stopping &&
           pthread_cond_timedwait(&writer->committed, &writer->lock, &until) == 0)
        continue;
}

/* Waits for a commit; false when the writer stops. */
static bool wait_for_commit(struct writer *writer)
{
    bool go_on;

    (void)pthread_mutex_lock(&writer->lock);
    pause_keeper(writer);
    while (!writer->unkept && !writer->stopping)
        (void)pthread_cond_wait(&writer->committed, &writer->lock);
    writer->unkept = false;
    go_on = !writer->stopping;
    (void)pthread_mutex_unlock(&writer->lock);
    return go_on;
}

static void *keeper_main(void *argument)
{
    struct writer *writer = argument;

    thread_yield_to_others(KEEPER_NICE);
    /* A failure is the next commit's too, and told there; until then the log holds all. */
    while (wait_for_commit(writer))
        (void)db_backend(writer->keeper_db)->checkpoint(db_handle(writer->keeper_db), NULL);
    return NULL;
}

/* Joins what was started, frees everything. */
static void end(struct writer *writer)
{
    (void)pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    (void)pthread_cond_signal(&writer->work);
    (void)pthread_cond_signal(&writer->committed);
    (void)pthread_mutex_unlock(&writer->lock);
    if (writer->has_thread)
        (void)pthread_join(writer->thread, NULL);
    if (writer->has_keeper)
        (void)pthread_join(writer->keeper, NULL);
    (void)pthread_mutex_lock(&writer->lock);
    while (writer->callers > 0)
        (void)pthread_cond_wait(&writer->finished, &writer->lock);
    (void)pthread_mutex_unlock(&writer->lock);
    (void)pthread_cond_destroy(&writer->committed);
    (void)pthread_cond_destroy(&writer->finished);
    (void)pthread_cond_destroy(&writer->work);
    (void)pthread_mutex_destroy(&writer->lock);
    db_close(writer->keeper_db);
    db_close(writer->db);
    free(writer);
}

static enum err_code start_threads(struct writer *writer, struct err *err)
{
    static const char NO_THREAD[] = "starting the writer: no thread could be made";

    writer->has_thread = pthread_create(&writer->thread, NULL, writer_main, writer) == 0;
    if (!writer->has_thread)
        return err_set(err, ERR_INTERNAL, NO_THREAD);
    if (writer->keeper_db == NULL)
        return ERR_NONE;
    writer->has_keeper = pthread_create(&writer->keeper, NULL, keeper_main, writer) == 0;
    return writer->has_keeper ? ERR_NONE : err_set(err, ERR_INTERNAL, NO_THREAD);
}

enum err_code writer_start(const char *database_url, struct writer **ret, struct err *err)
{
    AUTO(db_closep) struct db *db = NULL;
    AUTO(db_closep) struct db *keeper_db = NULL;
    pthread_condattr_t monotonic;
    struct writer *writer;
    enum err_code code;

    TRY(db_open(database_url, DB_WRITE, &db, err));
    if (db_backend(db)->checkpoint != NULL)
        TRY(db_open_bare(database_url, DB_WRITE, &keeper_db, err));
    writer = own_alloc(sizeof *writer);
    writer->db = TAKE(db);
    writer->keeper_db = TAKE(keeper_db);
    writer->owed = 1; /* what an earlier process, or a migration, left to do */
    (void)pthread_mutex_init(&writer->lock, NULL);
    (void)pthread_cond_init(&writer->finished, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&writer->committed, &monotonic);
    (void)pthread_cond_init(&writer->work, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    code = start_threads(writer, err);
    if (code != ERR_NONE)
        end(writer);
    else
        *ret = writer;
    return code;
}

static enum err_code run_in(struct writer *writer, struct queue *queue, struct job *mine,
                            struct err *err)
{
    (void)pthread_mutex_lock(&writer->lock);
    if (queue->count == WRITER_QUEUE_MAX || writer->stopping) {
        (void)pthread_mutex_unlock(&writer->lock);
        return err_set(err, ERR_BUSY, "the writer has as much to do as it takes: try again");
    }
    queue->jobs[(queue->first + queue->count++) % WRITER_QUEUE_MAX] = mine;
    writer->callers++;
    (void)pthread_cond_signal(&writer->work);
    while (!mine->done)
        (void)pthread_cond_wait(&writer->finished, &writer->lock);
    if (--writer->callers == 0)
        (void)pthread_cond_broadcast(&writer->finished);
    (void)pthread_mutex_unlock(&writer->lock);
    if (mine->code != ERR_NONE && err != NULL)
        *err = mine->err;
    return mine->code;
}

enum err_code writer_run(struct writer *writer, writer_job *job, void *argument, struct err *err)
{
    struct job mine = {.run = job, .argument = argument};

    return run_in(writer, &writer->brief, &mine, err);
}

enum err_code writer_run_bulk(struct writer *writer, writer_job *job, void *argument, size_t rows,
                              struct err *err)
{
    struct job mine = {.run = job, .argument = argument, .rows = rows};

    return run_in(writer, &writer->bulk, &mine, err);
}

void writer_stop(struct writer *writer)
{
    end(writer);
}

void writer_on_commit(struct writer *writer, void (*call)(void *context), void *context)
{
    (void)pthread_mutex_lock(&writer->lock);
    writer->on_commit = call;
    writer->on_commit_context = context;
    (void)pthread_mutex_unlock(&writer->lock);
}

enum err_code writer_trouble(const struct writer *writer, struct err *err)
{
    struct writer *open = (struct writer *)(uintptr_t)writer; /* a lock is no visible change */
    enum err_code code = ERR_NONE;

    (void)pthread_mutex_lock(&open->lock);
    if (open->trouble.code != ERR_NONE && clock_mono_ms() - open->trouble_ms < WRITER_TROUBLE_MS) {
        code = open->trouble.code;
        *err = open->trouble;
    }
    (void)pthread_mutex_unlock(&open->lock);
    return code;
}

uint64_t writer_queue_depth(const struct writer *writer)
{
    struct writer *open = (struct writer *)(uintptr_t)writer; /* a lock is no visible change */
    uint64_t depth;

    (void)pthread_mutex_lock(&open->lock);
    depth = open->brief.count + open->bulk.count;
    (void)pthread_mutex_unlock(&open->lock);
    return depth;
}
