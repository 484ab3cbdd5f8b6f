#include "store/notice.h"

#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"
#include "store/change.h"
#include "store/db.h"
#include "store/ingest.h"
#include "store/object_row.h"

enum { RETRY_ARENA_BYTES = 1 << 20, RETRY_BODY_BYTES_MAX = 8192 };

const char *const NOTICE_STATE_WORDS[] = {"waiting", "in_hand", "dead", NULL};

const struct field NOTICE_FIELDS[] = {
    FIELD(struct notice_row, id, FIELD_INT, .flags = 0),
    FIELD(struct notice_row, bucket, FIELD_TEXT, .flags = 0),
    FIELD(struct notice_row, key, FIELD_TEXT, .flags = 0),
    FIELD(struct notice_row, etag, FIELD_TEXT, .flags = 0),
    FIELD(struct notice_row, region, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct notice_row, size_bytes, FIELD_INT, .flags = 0),
    FIELD(struct notice_row, made, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD(struct notice_row, folder, FIELD_BOOL, .flags = FIELD_HIDDEN),
    FIELD(struct notice_row, origin, FIELD_TEXT, .flags = 0),
    FIELD(struct notice_row, received, FIELD_TIME, .flags = 0),
    FIELD(struct notice_row, state, FIELD_ENUM, .words = NOTICE_STATE_WORDS),
    FIELD(struct notice_row, attempts, FIELD_INT, .flags = 0),
    FIELD(struct notice_row, ready, FIELD_TIME, .flags = 0),
    FIELD(struct notice_row, error_code, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD(struct notice_row, error, FIELD_TEXT, .flags = FIELD_NULLABLE),
    FIELD_END,
};
static const struct field COUNT_FIELDS[] = {
    FIELD(struct notice_counts, waiting, FIELD_INT, .flags = 0),
    FIELD(struct notice_counts, in_hand, FIELD_INT, .flags = 0),
    FIELD(struct notice_counts, dead, FIELD_INT, .flags = 0),
    FIELD(struct notice_counts, oldest, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD_END,
};

enum err_code notice_list(struct db *db, struct arena *arena, int64_t state, int64_t before_id,
                          size_t limit, struct notice_page *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    size_t room = limit + 1;

    *ret = (struct notice_page){.items = ARENA_ARRAY(arena, struct notice_row, room)};
    TRY(db_query(db, SQL_NOTICE_LIST, PARAMS(P_INT(before_id), P_INT(state), P_INT((int64_t)room)),
                 &q, err));
    while (ret->count < room && query_next(&q, NOTICE_FIELDS, arena, &ret->items[ret->count]))
        ret->count++;
    TRY(query_end(&q, err));
    ret->more = ret->count > limit;
    ret->count -= ret->more;
    return ERR_NONE;
}

enum err_code notice_count(struct db *db, struct notice_counts *ret, struct err *err)
{
    return db_row(db, SQL_NOTICE_COUNT, NO_PARAMS, COUNT_FIELDS, NULL, ret, err);
}

enum err_code notice_is_ready(struct db *db, int64_t now_ms, const char *folder, bool *ret,
                              struct err *err)
{
    int64_t id;
    enum err_code code =
        db_int(db, SQL_NOTICE_READY, PARAMS(P_INT(now_ms), P_INT(folder != NULL), P_TEXT(folder)),
               &id, err);

    if (code == ERR_NOT_FOUND)
        code = db_int(
            db, SQL_NOTICE_FAR_AHEAD,
            PARAMS(P_INT(now_ms + NOTICE_AHEAD_MS_MAX), P_INT(folder != NULL), P_TEXT(folder)), &id,
            err);

    *ret = code == ERR_NONE;
    return code == ERR_NOT_FOUND ? ERR_NONE : code;
}

static enum err_code check_room(struct db *db, int64_t waiting_max, struct err *err)
{
    int64_t waiting;

    TRY(db_int(db, SQL_NOTICE_WAITING, PARAMS(P_INT(waiting_max + 1)), &waiting, err));
    if (waiting > waiting_max)
        return err_set(err, ERR_BUSY,
                       "as many notices wait as are kept: let a worker run, then try again");
    return ERR_NONE;
}

static enum err_code put(struct db *db, const struct notice_put *item, const char *origin,
                         int64_t now_ms, int64_t *ret_changes, struct err *err)
{
    return db_exec(db, SQL_NOTICE_PUT,
                   PARAMS(P_TEXT(item->bucket), P_TEXT(item->key),
                          P_TEXT(item->etag != NULL ? item->etag : ""), P_TEXT(item->region),
                          P_INT(item->size_bytes),
                          P_INT_OR_NULL(item->made_ms > 0 ? item->made_ms : FIELD_NULL_INT),
                          P_INT(item->folder), P_TEXT(origin), P_INT(now_ms)),
                   ret_changes, err);
}

enum err_code notice_put_job_run(struct db *db, void *job_, struct err *err)
{
    struct notice_put_job *job = job_;

    job->queued = job->repeated = job->stored = 0;
    for (size_t i = 0; i < job->count; i++) {
        const struct notice_put *item = &job->items[i];
        bool done = false;
        int64_t changes = 0;

        if (item->etag != NULL)
            TRY(ingest_object_done(db, item->bucket, item->key, item->etag, &done, err));
        if (!done)
            TRY(put(db, item, job->origin, job->now_ms, &changes, err));
        job->stored += done;
        job->queued += (uint64_t)changes;
        job->repeated += !done && changes == 0;
    }
    return job->queued > 0 ? check_room(db, job->waiting_max, err) : ERR_NONE;
}

/* {"bucket": …, "key": …} for the audit trail. */
static const char *retry_body(struct arena *arena, const char *bucket, const char *key)
{
    AUTO(str_done) struct str text = {0};
    struct json_writer json;

    str_init(&text, RETRY_BODY_BYTES_MAX);
    json_writer_init(&json, &text);
    json_object(&json, NULL);
    json_text(&json, "bucket", bucket);
    json_text(&json, "key", key);
    json_end(&json);
    return arena_strndup(arena, text.text, text.length);
}

static enum err_code retry_object(struct db *db, struct notice_retry_job *job, struct arena *arena,
                                  struct notice_put *ret, struct err *err)
{
    struct object_row object;
    int64_t changes;

    TRY(object_get(db, arena, job->object_id, &object, err));
    if (object.error_code == NULL)
        return err_set(err, ERR_CONFLICT, "the object has not failed: it is stored");
    *ret = (struct notice_put){
        .bucket = object.bucket,
        .key = object.key,
        .etag =
            object.folder != 0 || str_equal(object.etag, OBJECT_ETAG_UNKNOWN) ? NULL : object.etag,
        .size_bytes = object.size_bytes,
        .made_ms = object.made,
        .folder = object.folder != 0,
    };
    TRY(put(db, ret, job->actor, job->now_ms, &changes, err));
    job->repeated = changes == 0;
    return ERR_NONE;
}

static enum err_code retry_notice(struct db *db, struct notice_retry_job *job, struct arena *arena,
                                  struct notice_put *ret, struct err *err)
{
    struct notice_row row;
    int64_t changes;
    enum err_code code =
        db_row(db, SQL_NOTICE_GET, PARAMS(P_INT(job->notice_id)), NOTICE_FIELDS, arena, &row, err);

    if (code == ERR_NOT_FOUND)
        return err_set(err, code, "there is no such notice");
    TRY(code);
    TRY(db_exec(db, SQL_NOTICE_REVIVE, PARAMS(P_INT(job->now_ms), P_INT(row.id)), &changes, err));
    job->repeated = changes == 0;
    *ret = (struct notice_put){.bucket = row.bucket, .key = row.key};
    return ERR_NONE;
}

enum err_code notice_retry_job_run(struct db *db, void *job_, struct err *err)
{
    struct notice_retry_job *job = job_;
    AUTO(arena_done) struct arena arena = {0};
    struct notice_put what = {.bucket = NULL};

    arena_init(&arena, RETRY_ARENA_BYTES);
    if (job->object_id != 0)
        TRY(retry_object(db, job, &arena, &what, err));
    else
        TRY(retry_notice(db, job, &arena, &what, err));
    if (job->repeated)
        return ERR_NONE;
    TRY(check_room(db, job->waiting_max, err));
    return change_add(db, CHANGE_OBJECT_RETRIED, job->actor, FIELD_NULL_INT,
                      retry_body(&arena, what.bucket, what.key), NULL, err);
}

static enum err_code settle(struct db *db, const struct notice_claim_job *job,
                            const struct notice_settled *done, struct err *err)
{
    int64_t pause_ms = NOTICE_PAUSE_FIRST_MS;

    if (done->outcome == NOTICE_DEALT)
        return db_exec(db, SQL_NOTICE_DEALT, PARAMS(P_INT(done->id), P_TEXT(job->holder)), NULL,
                       err);
    if (done->outcome == NOTICE_KEEP)
        return db_exec(db, SQL_NOTICE_LATER,
                       PARAMS(P_INT(job->now_ms), P_INT(done->attempts - 1), P_INT(done->id),
                              P_TEXT(job->holder)),
                       NULL, err);
    if (done->attempts >= NOTICE_ATTEMPTS_MAX) {
        TRY(db_exec(
            db, SQL_NOTICE_BURY,
            PARAMS(P_TEXT(done->bucket), P_TEXT(done->key), P_INT(done->id), P_TEXT(job->holder)),
            NULL, err));
        return db_exec(db, SQL_NOTICE_PURGE_DEAD, PARAMS(P_INT(NOTICE_DEAD_MAX)), NULL, err);
    }
    for (int64_t i = 1; i < done->attempts; i++)
        pause_ms *= 2;
    return db_exec(db, SQL_NOTICE_LATER,
                   PARAMS(P_INT(job->now_ms + pause_ms), P_INT(done->attempts), P_INT(done->id),
                          P_TEXT(job->holder)),
                   NULL, err);
}

static enum err_code claim(struct db *db, struct notice_claim_job *job, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    TRY(db_exec(db, SQL_NOTICE_TIMELY,
                PARAMS(P_INT(job->now_ms), P_INT(job->now_ms + NOTICE_AHEAD_MS_MAX)), NULL, err));
    TRY(db_exec(
        db, SQL_NOTICE_BURY_LOST,
        PARAMS(P_TEXT("the workers that had it in hand ended before they were done with it"),
               P_INT(job->now_ms), P_INT(NOTICE_ATTEMPTS_MAX)),
        NULL, err));
    TRY(db_query(db, SQL_NOTICE_CLAIM,
                 PARAMS(P_TEXT(job->holder), P_INT(job->now_ms + NOTICE_LEASE_MS),
                        P_INT(job->now_ms), P_INT(job->folder != NULL), P_TEXT(job->folder),
                        P_INT((int64_t)job->max)),
                 &q, err));
    while (job->count < job->max &&
           query_next(&q, NOTICE_FIELDS, job->arena, &job->rows[job->count]))
        job->count++;
    return query_end(&q, err);
}

enum err_code notice_claim_job_run(struct db *db, void *job_, struct err *err)
{
    struct notice_claim_job *job = job_;

    job->count = 0;
    for (size_t i = 0; i < job->settled_count; i++)
        TRY(settle(db, job, &job->settled[i], err));
    return job->max > 0 ? claim(db, job, err) : ERR_NONE;
}

enum err_code notice_renew(struct db *db, const char *holder, int64_t until_ms, struct err *err)
{
    return db_exec(db, SQL_NOTICE_RENEW, PARAMS(P_INT(until_ms), P_TEXT(holder)), NULL, err);
}
