#pragma once
/* The one writer thread of a process. Jobs come through two bounded queues, are run in order,
 * several in one transaction (each in a savepoint, so one that fails undoes only itself), and their
 * callers return after the commit. A full queue answers ERR_BUSY at once.
 *
 * What somebody waits for goes first: short jobs (writer_run) before bulk ones (writer_run_bulk),
 * and a transaction of bulk jobs ends at WRITER_BULK_ROWS, so a short job waits for one of them at
 * most. After WRITER_BRIEF_GROUPS transactions of short jobs in a row one of bulk has its turn.
 * Between them the writer makes the runs of pairs (pair_run.h) that bulk jobs made due, a step a
 * transaction, and goes on when nothing else is to do. */
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct db;
struct writer;

enum {
    WRITER_QUEUE_MAX = 256, /* of each kind */
    WRITER_GROUP_MAX = 64,  /* jobs a transaction */
    WRITER_BULK_ROWS = 20000,
    WRITER_BRIEF_GROUPS = 2,
    WRITER_PAIR_ROWS = 6, /* read of what look-ups need for a row of bulk, at most */
    WRITER_OWED_MAX = 2000000,
    WRITER_REST_MS = 2000, /* without anything to do: then less than a run is made one */
    /* and so many pages at a time are given back to the file system, while more than this part of
     * those in use is free */
    WRITER_SPACE_PAGES = 256,
    WRITER_SPARE_SHARE = 32,
};

typedef enum err_code writer_job(struct db *db, void *argument, struct err *err);

NODISCARD enum err_code writer_start(const char *database_url, struct writer **ret,
                                     struct err *err);
/* Any thread but the writer's. Blocks until the job's transaction is committed or failed. */
NODISCARD enum err_code writer_run(struct writer *writer, writer_job *job, void *argument,
                                   struct err *err);
/* The same for a job that takes as long as so many rows do. */
NODISCARD enum err_code writer_run_bulk(struct writer *writer, writer_job *job, void *argument,
                                        size_t rows, struct err *err);
/* Runs what is queued, lets its callers go, then ends; frees. No call may begin any more. */
void writer_stop(struct writer *writer);
/* Told after every commit and before its callers return, on the writer's thread and under its
 * lock: it may neither wait nor call the writer. NULL: nobody. */
void writer_on_commit(struct writer *writer, void (*call)(void *context), void *context);
/* Whether the last transaction failed because nothing can be stored (ERR_FULL, ERR_IO; its
 * sentence), or a job or the runs of pairs met damage (ERR_CORRUPT), and not longer than
 * WRITER_TROUBLE_MS ago: who is told to stay away must not be waited for to find out that it is
 * over. */
enum { WRITER_TROUBLE_MS = 60000 };
NODISCARD enum err_code writer_trouble(const struct writer *writer, struct err *err);
uint64_t writer_queue_depth(const struct writer *writer); /* both */
