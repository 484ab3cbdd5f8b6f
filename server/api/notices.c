/* POST /api/v1/notices: what EventBridge calls instead of filling an SQS queue. The answer comes
 * when the notice is on the disk; a worker reads it later. And what waits there. */
#include "api/app.h"
#include "api/cursor.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "lake/announce.h"
#include "store/notice.h"
#include "store/writer.h"

enum { NOTICES_DEFAULT = 50, NOTICES_MAX = 500, FULL_RETRY_S = 60 };

/* What is announced and lies in the lake. */
static enum err_code read_notice(struct request *req, struct announcement *ret, struct err *err)
{
    static const char *const TYPES[] = {"application/json", NULL};
    const struct json *unused;
    struct err reason = {0};

    TRY(body_json(req, TYPES, &unused, err)); /* no JSON: said as for every body */
    if (announce_read(req->body, req->body_length, req->arena, ret, &reason) != ERR_NONE)
        json_fault(&req->faults, ret->fault != NULL ? ret->fault : "", "%s", reason.text);
    return query_check(req, err);
}

static size_t take_objects(const struct announcement *announcement, struct notice_put *ret)
{
    size_t count = 0;

    for (size_t i = 0; i < announcement->count; i++) {
        const struct announced *object = &announcement->objects[i];

        if (object->in_lake)
            ret[count++] = (struct notice_put){
                .bucket = object->bucket,
                .key = object->key,
                .etag = object->etag,
                .region = object->region,
                .size_bytes =
                    object->size_bytes < INT64_MAX ? (int64_t)object->size_bytes : INT64_MAX,
                .made_ms = object->time_ms,
            };
    }
    return count;
}

enum err_code create_notices(struct request *req, struct reply *reply, struct err *err)
{
    struct announcement announcement;
    struct notice_put *items;
    struct notice_put_job job = {
        .origin = req->actor, .now_ms = clock_now_ms(), .waiting_max = NOTICE_WAITING_MAX};
    enum err_code code = ERR_NONE;

    TRY(read_notice(req, &announcement, err));
    items = ARENA_ARRAY(req->arena, struct notice_put, announcement.count + 1);
    job.items = items;
    job.count = take_objects(&announcement, items);
    if (job.count > 0)
        code = writer_run(app_of(req)->writer, notice_put_job_run, &job, err);
    if (code == ERR_BUSY && job.queued > 0)
        reply_retry_after(reply, FULL_RETRY_S);
    TRY(code);
    reply->status = 202;
    json_object(&reply->json, NULL);
    json_int(&reply->json, "queued", (int64_t)job.queued);
    json_int(&reply->json, "repeated", (int64_t)job.repeated);
    json_int(&reply->json, "stored", (int64_t)job.stored);
    json_int(&reply->json, "skipped", (int64_t)(announcement.count - job.count));
    json_end(&reply->json);
    return ERR_NONE;
}

enum err_code list_notices(struct request *req, struct reply *reply, struct err *err)
{
    int64_t state = -1, limit = NOTICES_DEFAULT;
    struct cursor cursor = {.id = INT64_MAX};
    struct notice_page page;
    struct db *db;
    bool given;

    query_enum(req, "state", NOTICE_STATE_WORDS, &state);
    query_int(req, "limit", 1, NOTICES_MAX, &limit);
    cursor_read(req, &cursor, &given);
    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(notice_list(db, req->arena, state, cursor.id, (size_t)limit, &page, err));
    json_object(&reply->json, NULL);
    json_array(&reply->json, "notices");
    for (size_t i = 0; i < page.count; i++)
        json_row(&reply->json, NULL, NOTICE_FIELDS, &page.items[i]);
    json_end(&reply->json);
    cursor = (struct cursor){.id = page.count > 0 ? page.items[page.count - 1].id : 0};
    cursor_write(reply, page.more ? cursor_next(req, &cursor) : NULL);
    json_end(&reply->json);
    return ERR_NONE;
}

static enum err_code retry(struct request *req, struct reply *reply, int64_t object_id,
                           int64_t notice_id, struct err *err)
{
    struct notice_retry_job job = {.actor = req->actor,
                                   .now_ms = clock_now_ms(),
                                   .waiting_max = NOTICE_WAITING_MAX,
                                   .object_id = object_id,
                                   .notice_id = notice_id};

    TRY(query_check(req, err));
    TRY(writer_run(app_of(req)->writer, notice_retry_job_run, &job, err));
    reply->status = 202;
    json_object(&reply->json, NULL);
    json_bool(&reply->json, "repeated", job.repeated);
    json_end(&reply->json);
    return ERR_NONE;
}

enum err_code retry_object(struct request *req, struct reply *reply, struct err *err)
{
    int64_t id;

    TRY(path_int(req, "id", &id, err));
    return retry(req, reply, id, 0, err);
}

enum err_code retry_notice(struct request *req, struct reply *reply, struct err *err)
{
    int64_t id;

    TRY(path_int(req, "id", &id, err));
    return retry(req, reply, 0, id, err);
}
