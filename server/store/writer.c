/* Jobs live on their callers' stacks: a caller waits until its job is done, so nothing is copied
 * and nothing is freed. */
#include "store/writer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/own.h"
#include "store/db.h"

struct job {
    writer_job *run;
    void *argument;
    enum err_code code;
    struct err err;
    bool done;
};

struct writer {
    struct db *db; /* the writer thread's own */
    pthread_t thread;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t work, finished;
    struct job *queue[WRITER_QUEUE_MAX]; /* a ring */
    size_t first, count;
    size_t callers; /* inside writer_run: they touch the writer once more after their job is done */
    bool stopping;
    void (*on_commit)(void *context);
    void *on_commit_context;
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

static size_t take_group(struct writer *writer, struct job **ret)
{
    size_t count = writer->count < WRITER_GROUP_MAX ? writer->count : WRITER_GROUP_MAX;

    for (size_t i = 0; i < count; i++)
        ret[i] = writer->queue[(writer->first + i) % WRITER_QUEUE_MAX];
    writer->first = (writer->first + count) % WRITER_QUEUE_MAX;
    writer->count -= count;
    return count;
}

static void finish_group(struct writer *writer, struct job **jobs, size_t count)
{
    struct err err = {0};
    enum err_code code = run_group(writer->db, jobs, count, &err);

    if (code != ERR_NONE)
        fail_all(jobs, count, &err);
    (void)pthread_mutex_lock(&writer->lock);
    if (code == ERR_NONE && writer->on_commit != NULL)
        writer->on_commit(writer->on_commit_context);
    for (size_t i = 0; i < count; i++)
        jobs[i]->done = true;
    (void)pthread_cond_broadcast(&writer->finished);
    (void)pthread_mutex_unlock(&writer->lock);
}

static void *writer_main(void *argument)
{
    struct writer *writer = argument;

    for (;;) {
        struct job *jobs[WRITER_GROUP_MAX];
        size_t count;

        (void)pthread_mutex_lock(&writer->lock);
        while (writer->count == 0 && !writer->stopping)
            (void)pthread_cond_wait(&writer->work, &writer->lock);
        count = take_group(writer, jobs);
        (void)pthread_mutex_unlock(&writer->lock);
        if (count == 0)
            return NULL;
        finish_group(writer, jobs, count);
    }
}

enum err_code writer_start(const char *database_url, struct writer **ret, struct err *err)
{
    struct writer *writer;
    struct db *db;

    TRY(db_open(database_url, DB_WRITE, &db, err));
    writer = own_alloc(sizeof *writer);
    writer->db = db;
    (void)pthread_mutex_init(&writer->lock, NULL);
    (void)pthread_cond_init(&writer->work, NULL);
    (void)pthread_cond_init(&writer->finished, NULL);
    if (pthread_create(&writer->thread, NULL, writer_main, writer) != 0) {
        db_close(db);
        free(writer);
        return err_set(err, ERR_INTERNAL, "starting the writer: no thread could be made");
    }
    *ret = writer;
    return ERR_NONE;
}

enum err_code writer_run(struct writer *writer, writer_job *job, void *argument, struct err *err)
{
    struct job mine = {.run = job, .argument = argument};

    (void)pthread_mutex_lock(&writer->lock);
    if (writer->count == WRITER_QUEUE_MAX || writer->stopping) {
        (void)pthread_mutex_unlock(&writer->lock);
        return err_set(err, ERR_BUSY, "the writer has as much to do as it takes: try again");
    }
    writer->queue[(writer->first + writer->count++) % WRITER_QUEUE_MAX] = &mine;
    writer->callers++;
    (void)pthread_cond_signal(&writer->work);
    while (!mine.done)
        (void)pthread_cond_wait(&writer->finished, &writer->lock);
    if (--writer->callers == 0)
        (void)pthread_cond_broadcast(&writer->finished);
    (void)pthread_mutex_unlock(&writer->lock);
    if (mine.code != ERR_NONE && err != NULL)
        *err = mine.err;
    return mine.code;
}

void writer_stop(struct writer *writer)
{
    (void)pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    (void)pthread_cond_signal(&writer->work);
    (void)pthread_mutex_unlock(&writer->lock);
    (void)pthread_join(writer->thread, NULL);
    (void)pthread_mutex_lock(&writer->lock);
    while (writer->callers > 0)
        (void)pthread_cond_wait(&writer->finished, &writer->lock);
    (void)pthread_mutex_unlock(&writer->lock);
    (void)pthread_cond_destroy(&writer->finished);
    (void)pthread_cond_destroy(&writer->work);
    (void)pthread_mutex_destroy(&writer->lock);
    db_close(writer->db);
    free(writer);
}

void writer_on_commit(struct writer *writer, void (*call)(void *context), void *context)
{
    (void)pthread_mutex_lock(&writer->lock);
    writer->on_commit = call;
    writer->on_commit_context = context;
    (void)pthread_mutex_unlock(&writer->lock);
}

uint64_t writer_queue_depth(const struct writer *writer)
{
    struct writer *open = (struct writer *)(uintptr_t)writer; /* a lock is no visible change */
    uint64_t depth;

    (void)pthread_mutex_lock(&open->lock);
    depth = open->count;
    (void)pthread_mutex_unlock(&open->lock);
    return depth;
}
