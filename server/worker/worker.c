/* Threads around batch_run: start, share the queue, stop on the first failure, add up. */
#include "worker/worker.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/tally.h"
#include "lake/notice.h"
#include "model/model.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/writer.h"
#include "worker/batch.h"
#include "worker/emf.h"
#include "worker/endpoints.h"
#include "worker/learn.h"
#include "worker/models.h"
#include "worker/notice_store.h"
#include "worker/post.h"
#include "worker/pulse.h"
#include "worker/turns.h"
#include "worker/windows.h"

/* An object's results: some 350 bytes for each of at most lake_options.pairs_max pairs. */
#define BATCH_ARENA_BYTES_MAX ((size_t)4 << 30)
/* Some 2 KiB each: enough for a hundred thousand findings of one object. */
#define EXPLANATION_BYTES_MAX ((size_t)256 << 20)
enum { RECEIVE_MAX = 4, RECEIVE_WAIT_MS = 1000, NOTICE_ARENA_BYTES_MAX = 1 << 20 };
enum { HANDS_MORE = 1 };

struct worker {
    const struct worker_options *options;
    struct queue *queue;
    struct models *models;
    struct writer *writer; /* or */
    struct post *post;
    struct queue_options queue_options;
    struct pulse pulse;
    struct emf emf;
    struct endpoints_aws aws;
    struct turns turns; /* of options->threads */

    pthread_mutex_t receive_lock; /* one thread waits at the queue */
    pthread_mutex_t lock;         /* guards what follows */
    struct worker_totals totals;
    struct err err; /* of the first thread that failed */
    bool failed;
    struct progress progress;
};

static bool should_end(struct worker *worker)
{
    bool failed;

    (void)pthread_mutex_lock(&worker->lock);
    failed = worker->failed;
    (void)pthread_mutex_unlock(&worker->lock);
    return failed || atomic_load(worker->options->stop);
}

static void note_failure(struct worker *worker, const struct err *err)
{
    (void)pthread_mutex_lock(&worker->lock);
    if (!worker->failed)
        worker->err = *err;
    worker->failed = true;
    (void)pthread_mutex_unlock(&worker->lock);
}

static void add_totals(struct worker *worker, const struct worker_totals *add)
{
    (void)pthread_mutex_lock(&worker->lock);
    totals_add(&worker->totals, add);
    progress_add(&worker->progress, (long long)(add->objects + add->repeated));
    (void)pthread_mutex_unlock(&worker->lock);
    if (worker->options->watch != NULL)
        watch_add(worker->options->watch, add);
}

static void count_in_hand(struct worker *worker, int64_t more)
{
    (void)atomic_fetch_add(&worker->pulse.in_flight, more);
    if (worker->options->watch != NULL)
        (void)atomic_fetch_add(&worker->options->watch->in_flight, more);
}

static enum err_code receive(struct worker *worker, struct arena *arena, struct notice *ret,
                             size_t *ret_count, bool *ret_drained, struct err *err)
{
    enum err_code code;

    (void)pthread_mutex_lock(&worker->receive_lock);
    code = queue_receive(worker->queue, RECEIVE_MAX, RECEIVE_WAIT_MS, arena, ret, ret_count,
                         ret_drained, err);
    (void)pthread_mutex_unlock(&worker->receive_lock);
    count_in_hand(worker, (int64_t)*ret_count);
    tally_add("received", NULL, NULL, *ret_count);
    return code;
}

static void give_back(struct worker *worker, const struct notice *notice,
                      enum queue_outcome outcome)
{
    queue_done(worker->queue, notice, outcome);
    count_in_hand(worker, -1);
}

static void log_batch(struct worker *worker, const struct worker_totals *batch, size_t received,
                      const double *lag_s, size_t lags, int64_t began_ms)
{
    log_info("batch",
             "received=%zu stored=%" PRIu64 " failed=%" PRIu64 " repeated=%" PRIu64 " rows=%" PRIu64
             " pairs=%" PRIu64 " scored=%" PRIu64 " flagged=%" PRIu64 " ms=%" PRId64,
             received, batch->objects - batch->failed, batch->failed, batch->repeated, batch->rows,
             batch->pairs, batch->scored, batch->flagged, clock_mono_ms() - began_ms);
    if (worker->options->emf != NULL)
        emf_write(&worker->emf, batch, received, lag_s, lags);
}

/* Takes what the queue gives and deals with it one by one; what is not dealt with goes back. */
static enum err_code run_received(struct worker *worker, const struct batch_context *context,
                                  const struct notice *notices, size_t count, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    struct worker_totals batch = {0};
    double lag_s[RECEIVE_MAX + 1];
    size_t lags = 0;
    int64_t began_ms = clock_mono_ms();
    enum err_code code = ERR_NONE;

    arena_init(&arena, BATCH_ARENA_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct worker_totals totals = {0};
        bool skip = code != ERR_NONE || should_end(worker);

        if (!skip)
            code = batch_run(context, &notices[i], &arena, &totals, err);
        add_totals(worker, &totals);
        totals_add(&batch, &totals);
        lag_s[lags] = (double)totals.lag_ms / 1000;
        lags += totals.stored_ms != 0 && notices[i].time_ms != 0;
        /* Before the last is given back: a function stands still once it has answered. */
        if (i == count - 1)
            log_batch(worker, &batch, count, lag_s, lags, began_ms);
        give_back(worker, &notices[i],
                  skip || code != ERR_NONE ? QUEUE_KEEP
                  : totals.failed > 0      ? QUEUE_FAILED
                                           : QUEUE_DEALT);
        arena_reset(&arena);
    }
    /* Stopped on the way: what was in hand goes back, and nothing is wrong. */
    return code == ERR_CANCELLED && atomic_load(worker->options->stop) ? ERR_NONE : code;
}

/* A thread's own. */
struct hand {
    struct worker *worker;
    struct db *db;              /* or */
    struct post_link *post;     /* where results go */
    struct lake *lake;          /* reads the specs of the set it was opened for */
    struct endpoints endpoints; /* of that set */
    struct windows *windows;
    uint64_t generation; /* of that set */
};

static void hand_done(struct hand *hand)
{
    endpoints_close(&hand->endpoints);
    windows_freep(&hand->windows);
    lake_closep(&hand->lake);
    db_closep(&hand->db);
    post_link_close(hand->post);
}

/* What belongs to the set: kept as long as it is the same one. */
static enum err_code open_for(struct hand *hand, const struct model_set *set, struct err *err)
{
    const struct worker_options *options = hand->worker->options;
    struct lake_options lake_options = {
        .spec_names = set->spec_names,
        .spec_dir = options->spec_dir,
        .temp_dir = options->temp_dir,
        .bucket_ms = HOUR_MS,
        .object_bytes_max = options->object_bytes_max,
    };
    const struct remote_options remote = {
        .rows_max = options->scorer_rows,
        .answer_ms = options->scorer_answer_ms,
        .wait_ms = options->scorer_wait_ms,
        .stop = options->stop,
    };

    if (hand->lake != NULL && hand->generation == set->generation)
        return ERR_NONE;
    lake_closep(&hand->lake);
    TRY(endpoints_open(&hand->endpoints, &hand->worker->aws, set, &remote, err));
    TRY(lake_open(&lake_options, &hand->lake, err));
    hand->generation = set->generation;
    return ERR_NONE;
}

static enum err_code run_with(struct hand *hand, const struct model_set *set,
                              const struct notice *notices, size_t count, struct err *err)
{
    struct worker *worker = hand->worker;
    struct batch_context context = {
        .set = set,
        .queue = worker->queue,
        .db = hand->db,
        .writer = worker->writer,
        .post = hand->post,
        .object_bytes_max = worker->options->object_bytes_max,
        .explanation_bytes_max = EXPLANATION_BYTES_MAX,
        .turns = &worker->turns,
        .stop = worker->options->stop,
    };
    enum err_code code = open_for(hand, set, err);

    if (code == ERR_NONE && hand->db != NULL)
        code = windows_read(hand->windows, hand->db, set, err);
    context.windows = hand->windows;
    context.lake = hand->lake;
    context.endpoints = &hand->endpoints;
    if (code == ERR_NONE)
        return run_received(worker, &context, notices, count, err);
    for (size_t i = 0; i < count; i++)
        give_back(worker, &notices[i], QUEUE_KEEP);
    return code;
}

static enum err_code run_thread(struct hand *hand, struct err *err)
{
    struct worker *worker = hand->worker;
    AUTO(arena_done) struct arena arena = {0};

    arena_init(&arena, NOTICE_ARENA_BYTES_MAX);
    if (worker->post != NULL)
        post_link_open(worker->post, &hand->post);
    else
        TRY(db_open(worker->options->database_url, DB_READ, &hand->db, err));
    hand->windows = windows_new();
    while (!should_end(worker)) {
        struct notice notices[RECEIVE_MAX];
        const struct model_set *set;
        size_t count = 0;
        bool drained = false;
        enum err_code code;

        TRY(receive(worker, &arena, notices, &count, &drained, err));
        if (drained)
            return ERR_NONE;
        set = models_take(worker->models, hand->db);
        code = run_with(hand, set, notices, count, err);
        models_give(worker->models, set);
        TRY(code);
        arena_reset(&arena);
    }
    return ERR_NONE;
}

static void *thread_main(void *argument)
{
    AUTO(hand_done) struct hand hand = {.worker = argument};
    struct err err = {0};

    if (run_thread(&hand, &err) != ERR_NONE)
        note_failure(hand.worker, &err);
    return NULL;
}

/* While objects are read; with `once` when all are. */
struct learner {
    struct learn_options options;
    pthread_t thread;
    bool started;
    atomic_bool stop;
};

static void *learner_main(void *argument)
{
    learn_loop(argument);
    return NULL;
}

static enum err_code start_learner(struct worker *worker, struct learner *learner, struct err *err)
{
    const struct worker_options *options = worker->options;

    learner->options = (struct learn_options){.database_url = options->database_url,
                                              .folder = options->learn_folder,
                                              .threshold = options->learn_threshold,
                                              .writer = worker->writer,
                                              .stop = &learner->stop};
    if (options->learn_folder != NULL)
        TRY(learn_folder_make(options->learn_folder, err));
    if (options->learn_folder == NULL || options->once)
        return ERR_NONE;
    if (pthread_create(&learner->thread, NULL, learner_main, &learner->options) != 0)
        return err_set(err, ERR_INTERNAL, "starting the thread that learns");
    learner->started = true;
    return ERR_NONE;
}

static enum err_code end_learner(struct worker *worker, struct learner *learner, struct err *err)
{
    bool learned;

    if (learner->started) {
        atomic_store(&learner->stop, true);
        (void)pthread_join(learner->thread, NULL);
    }
    if (worker->options->learn_folder == NULL || !worker->options->once || worker->failed ||
        atomic_load(worker->options->stop))
        return ERR_NONE;
    return learn_days(&learner->options, clock_now_ms(), &learned, err);
}

/* One object more in hand than are computed at once: while the store takes one, or S3 or the queue
 * are waited for, no processor stands still. A function has one processor and few objects. */
static int hand_count(const struct worker_options *options)
{
    return options->threads + (str_starts(options->queue_url, "lambda:") ? 0 : HANDS_MORE);
}

static enum err_code run_threads(struct worker *worker, struct err *err)
{
    pthread_t threads[WORKER_THREADS_MAX + HANDS_MORE];
    int hands = hand_count(worker->options);
    struct learner learner = {.started = false};
    enum err_code code;
    int started = 0;

    TRY(start_learner(worker, &learner, err));
    progress_start(&worker->progress, "scoring", "objects", 0);
    for (; started < hands; started++)
        if (pthread_create(&threads[started], NULL, thread_main, worker) != 0)
            break;
    for (int i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    progress_end(&worker->progress);
    code = end_learner(worker, &learner, err);

    if (started == 0)
        return err_set(err, ERR_INTERNAL, "starting worker threads: none could be made");
    if (worker->failed) {
        *err = worker->err;
        return err->code;
    }
    return code;
}

static enum err_code check_model(const char *path, struct err *err)
{
    AUTO(model_freep) struct model *model = NULL;

    return model_load(path, &model, err);
}

static enum err_code open_store(struct worker *worker, struct err *err)
{
    const struct worker_options *options = worker->options;

    if (options->post != NULL)
        return post_open(options->post, &worker->post, err);
    TRY(migrate_run(options->database_url, err));
    return writer_start(options->database_url, &worker->writer, err);
}

/* What is to be tried again is taken by workers of every queue but a function's, which does what it
 * was called for. */
static bool takes_from_store(const struct worker_options *options)
{
    return options->post == NULL && !str_starts(options->queue_url, "lambda:");
}

static bool store_alone(const struct worker_options *options)
{
    return strcmp(options->queue_url, "store") == 0;
}

/* The queue that was named is opened before anything is made; the store's goes in front of it. */
static enum err_code open_named_queue(struct worker *worker, struct err *err)
{
    const struct worker_options *options = worker->options;

    worker->queue_options = (struct queue_options){
        .once = options->once,
        .takers = hand_count(options),
        .since_day_ms = options->since_ms,
        .until_day_ms = options->until_ms,
        .temp_dir = options->temp_dir,
        .stall_s = options->stall_s,
        .aws_role = options->aws_role,
        .aws_external_id = options->aws_external_id,
        .stop = options->stop,
    };
    if (!store_alone(options))
        return queue_open(options->queue_url, &worker->queue_options, &worker->queue, err);
    if (options->since_ms != 0 || options->until_ms != 0)
        return err_set(err, ERR_USAGE,
                       "--since and --until choose days of a folder, not of a queue");
    if (options->post != NULL)
        return err_set(err, ERR_USAGE,
                       "--queue store is the database's, which a worker with --post does not see");
    return ERR_NONE;
}

static enum err_code open_store_queue(struct worker *worker, struct err *err)
{
    static const char FOLDER[] = "dir:";
    const char *url = worker->options->queue_url;
    struct store_queue_options store = {
        .database_url = worker->options->database_url,
        .writer = worker->writer,
        .worker = worker->pulse.uid,
        .folder = str_starts(url, FOLDER) ? url + sizeof FOLDER - 1 : NULL,
        .queue = &worker->queue_options,
    };
    struct queue *named = worker->queue;

    worker->queue = NULL;
    pulse_init(&worker->pulse, worker->writer, url);
    return queue_store_open(&store, named, &worker->queue, err);
}

static enum err_code open_shared(struct worker *worker, struct err *err)
{
    const struct worker_options *options = worker->options;
    struct models_options models_options = {
        .database_url = options->database_url,
        .model_path = options->model_path,
        .endpoint = options->endpoint,
        .calibration = options->calibration,
        .spec_names = options->spec_names,
    };

    if (options->model_path != NULL) /* before anything is made */
        TRY(check_model(options->model_path, err));
    TRY(open_named_queue(worker, err));
    TRY(open_store(worker, err));
    if (takes_from_store(options))
        TRY(open_store_queue(worker, err));
    models_options.writer = worker->writer;
    TRY(models_open(&models_options, &worker->models, err));
    return takes_from_store(options) ? pulse_start(&worker->pulse, err) : ERR_NONE;
}

enum err_code worker_run(const struct worker_options *options, struct worker_totals *ret,
                         struct err *err)
{
    struct worker worker = {.options = options,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .receive_lock = PTHREAD_MUTEX_INITIALIZER};
    enum err_code code;

    emf_init(&worker.emf, options->emf);
    turns_init(&worker.turns, options->threads);
    endpoints_aws_init(&worker.aws);
    code = open_shared(&worker, err);

    if (code == ERR_NONE) {
        worker.totals.began = true;
        code = run_threads(&worker, err);
    }
    queue_close(worker.queue); /* while what is done can still be told to the store */
    pulse_stop(&worker.pulse);
    if (worker.writer != NULL)
        writer_stop(worker.writer);
    post_close(worker.post);
    models_close(worker.models);
    endpoints_aws_done(&worker.aws);
    emf_done(&worker.emf);
    turns_done(&worker.turns);
    *ret = worker.totals;
    return code;
}
