/* GET /api/v1/stream: the feed of changes as Server-Sent Events (WHATWG HTML, 9.2). */
#include "api/stream.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "api/app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "gen/routes.h"
#include "http/server.h"
#include "store/change.h"
#include "store/db.h"
#include "store/writer.h"

enum {
    STREAMS_MAX = 200,
    STREAM_CHANGES_MAX = 50, /* of one piece */
    STREAM_ARENA_BYTES = 8 << 20,
    STREAM_REST_MS_MAX = 15000, /* then a comment is sent: proxies close what is silent */
    /* A stream ends and its client comes back, so that a right that was taken away is gone. */
    STREAM_MS_MAX = 10 * 60 * 1000,
    RETRY_MS = 2000,
    WATCH_MS = 250,     /* how often the commits of other processes are looked for */
    WATCH_GAP_MS = 100, /* between two wakes */
};

struct change_stream {
    const struct request *req;
    struct app *app;
    int64_t seq; /* the last one sent */
    int64_t started_ms, sent_ms;
    struct arena arena; /* of one piece */
};

static void stream_free(void *context)
{
    struct change_stream *stream = context;

    arena_done(&stream->arena);
    (void)atomic_fetch_sub(&stream->app->streams, 1);
}

static void write_event(struct str *out, const struct change *change)
{
    struct json_writer json;

    str_addf(out, "id: %" PRId64 "\nevent: change\ndata: ", change->seq);
    json_writer_init(&json, out);
    json_row(&json, NULL, CHANGE_FIELDS, change);
    str_add(out, "\n\n");
}

static enum err_code stream_next(void *context, struct str *out, struct err *err)
{
    struct change_stream *stream = context;
    int64_t now_ms = clock_mono_ms();
    struct change_list changes;
    struct db *db;

    if (now_ms - stream->started_ms > STREAM_MS_MAX)
        return ERR_CANCELLED;
    TRY(app_db(stream->req, &db, err));
    arena_reset(&stream->arena);
    TRY(change_list(db, &stream->arena, stream->seq, STREAM_CHANGES_MAX, &changes, err));
    for (size_t i = 0; i < changes.count; i++) {
        write_event(out, &changes.items[i]);
        stream->seq = changes.items[i].seq;
    }
    if (changes.count == 0 && now_ms - stream->sent_ms >= STREAM_REST_MS_MAX)
        str_add(out, ":\n\n");
    if (out->length > 0)
        stream->sent_ms = now_ms;
    return ERR_NONE;
}

/* Where a client that was cut off goes on; otherwise after=, otherwise what comes from now on. */
static enum err_code start_at(struct request *req, struct db *db, int64_t *ret, struct err *err)
{
    const char *last = request_header(req, "Last-Event-ID");

    *ret = -1;
    query_int(req, "after", 0, INT64_MAX, ret);
    TRY(query_check(req, err));
    if (last != NULL && (!str_to_i64(last, ret) || *ret < 0))
        return err_set(err, ERR_INVALID, "Last-Event-ID is the id of an event, not \"%.40s\"",
                       last);
    return *ret >= 0 ? ERR_NONE : change_last_seq(db, ret, err);
}

enum err_code stream_changes(struct request *req, struct reply *reply, struct err *err)
{
    struct app *app = app_of(req);
    struct change_stream *stream;
    struct db *db;
    int64_t seq;

    TRY(app_db(req, &db, err));
    TRY(start_at(req, db, &seq, err));
    if (atomic_fetch_add(&app->streams, 1) >= STREAMS_MAX) {
        (void)atomic_fetch_sub(&app->streams, 1);
        return err_set(err, ERR_BUSY, "%d streams are open, and no more are kept", STREAMS_MAX);
    }
    stream = ARENA_NEW(req->arena, struct change_stream);
    *stream =
        (struct change_stream){.req = req, .app = app, .seq = seq, .started_ms = clock_mono_ms()};
    stream->sent_ms = stream->started_ms;
    arena_init(&stream->arena, STREAM_ARENA_BYTES);
    reply->content_type = "text/event-stream";
    reply_header(reply, "X-Accel-Buffering", "no");
    reply->stream = (struct reply_stream){
        .next = stream_next, .free = stream_free, .context = stream, .feed = true};
    return ERR_NONE;
}

struct stream_watch {
    struct app *app;
    struct db *db;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool committed, stopping; /* guarded by lock */
};

static void on_commit(void *context)
{
    struct stream_watch *watch = context;

    (void)pthread_mutex_lock(&watch->lock);
    watch->committed = true;
    (void)pthread_cond_signal(&watch->told);
    (void)pthread_mutex_unlock(&watch->lock);
}

/* Until a commit of this process or for WATCH_MS; false: to end. */
static bool watch_wait(struct stream_watch *watch)
{
    struct timespec until;
    bool goes_on;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)WATCH_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&watch->lock);
    while (!watch->committed && !watch->stopping)
        if (pthread_cond_timedwait(&watch->told, &watch->lock, &until) != 0)
            break;
    watch->committed = false;
    goes_on = !watch->stopping;
    (void)pthread_mutex_unlock(&watch->lock);
    return goes_on;
}

static void *watch_main(void *argument)
{
    struct stream_watch *watch = argument;
    int64_t woken_ms = clock_mono_ms(), seen = -1, seq;
    struct http_server *server = atomic_load(&watch->app->server);

    while (watch_wait(watch)) {
        int64_t now_ms = clock_mono_ms();

        if (atomic_load(&watch->app->streams) == 0)
            continue;
        db_deadline(watch->db, now_ms + QUERY_MS_MAX);
        if (change_last_seq(watch->db, &seq, NULL) != ERR_NONE)
            seq = seen; /* the next look may find it there again */
        if (seq == seen && now_ms - woken_ms < STREAM_REST_MS_MAX)
            continue;
        seen = seq;
        woken_ms = now_ms;
        http_server_wake(server);
        clock_sleep_ms(WATCH_GAP_MS);
    }
    return NULL;
}

enum err_code stream_watch_start(struct app *app, struct stream_watch **ret, struct err *err)
{
    struct stream_watch *watch;
    pthread_condattr_t monotonic;
    struct db *db;

    TRY(db_open(app->database_url, DB_READ, &db, err));
    watch = own_alloc(sizeof *watch);
    *watch = (struct stream_watch){.app = app, .db = db};
    (void)pthread_mutex_init(&watch->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watch->told, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&watch->thread, NULL, watch_main, watch) != 0) {
        db_close(db);
        free(watch);
        return err_set(err, ERR_INTERNAL, "starting the watch of changes: no thread could be made");
    }
    writer_on_commit(app->writer, on_commit, watch);
    *ret = watch;
    return ERR_NONE;
}

void stream_watch_stop(struct stream_watch *watch)
{
    writer_on_commit(watch->app->writer, NULL, NULL);
    (void)pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    (void)pthread_cond_signal(&watch->told);
    (void)pthread_mutex_unlock(&watch->lock);
    (void)pthread_join(watch->thread, NULL);
    (void)pthread_cond_destroy(&watch->told);
    (void)pthread_mutex_destroy(&watch->lock);
    db_close(watch->db);
    free(watch);
}
