/* Changes of triage state: one finding by merge-patch, or many at once. */
#include <stdio.h>

#include "api/app.h"
#include "api/finding_view.h"
#include "api/rules.h"
#include "api/triage.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "store/finding.h"
#include "store/writer.h"

enum { BULK_ITEMS_MAX = 500, BULK_POINTER_BYTES = 48 };
#define VERSION_MAX 9007199254740991.0 /* the whole numbers of JSON */

static enum err_code run_job(struct request *req, struct finding_patch_item *items, size_t count,
                             struct err *err)
{
    struct finding_patch_job job = {
        .arena = req->arena,
        .actor = req->actor,
        .now_ms = clock_now_ms(),
        .items = items,
        .count = count,
    };

    return writer_run(app_of(req)->writer, finding_patch_job_run, &job, err);
}

static enum err_code read_patch(struct request *req, struct finding_patch *ret, struct err *err)
{
    static const char *const TYPES[] = {"application/merge-patch+json", NULL};
    const struct json *root;

    TRY(body_json(req, TYPES, &root, err));
    triage_read(root, req->arena, "", &req->faults, ret);
    return query_check(req, err);
}

static enum err_code check_outcome(const struct finding_patch_item *item, struct err *err)
{
    if (item->outcome == FINDING_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "there is no such finding");
    if (item->outcome == FINDING_LOST_RACE)
        return err_set(err, ERR_PRECONDITION, "it was changed meanwhile");
    return ERR_NONE;
}

enum err_code update_finding(struct request *req, struct reply *reply, struct err *err)
{
    struct finding_patch_item item = {.id = 0};
    struct finding finding;
    char etag[FINDING_ETAG_BYTES];

    TRY(read_patch(req, &item.patch, err));
    TRY(finding_of_path(req, &finding, err));
    finding_etag(&finding, etag);
    TRY(request_if_match(req, etag, err));
    item.id = finding.id;
    item.version = finding.version; /* what If-Match named; the store compares once more */
    TRY(run_job(req, &item, 1, err));
    TRY(check_outcome(&item, err));
    TRY(finding_write(req, reply, &item.after, err));
    if (request_prefers_minimal(req)) {
        str_clear(&reply->body);
        reply->status = 204;
        reply_header(reply, "Preference-Applied", "return=minimal");
    }
    return ERR_NONE;
}

struct bulk_item {
    int64_t id, version;
    const struct json *patch;
};

static const struct json_rule ITEM_RULES[] = {
    RULE(struct bulk_item, id, "id", FIELD_INT, .flags = JSON_REQUIRED, .min = 1,
         .max = VERSION_MAX),
    RULE(struct bulk_item, version, "version", FIELD_INT, .flags = JSON_REQUIRED, .min = 1,
         .max = VERSION_MAX),
    RULE(struct bulk_item, patch, "patch", FIELD_JSON, .flags = JSON_REQUIRED),
    RULE_END,
};

struct bulk_body {
    const struct json *items;
};

static const struct json_rule BODY_RULES[] = {
    RULE(struct bulk_body, items, "items", FIELD_JSON, .flags = JSON_REQUIRED),
    RULE_END,
};

static void read_item(struct request *req, const struct json *node, size_t index,
                      struct finding_patch_item *ret)
{
    struct bulk_item item = {.id = 0};
    char pointer[BULK_POINTER_BYTES];

    (void)snprintf(pointer, sizeof pointer, "/items/%zu", index);
    json_read_object(node, ITEM_RULES, &item, req->arena, pointer, &req->faults);
    (void)snprintf(pointer, sizeof pointer, "/items/%zu/patch", index);
    if (item.patch != NULL)
        triage_read(item.patch, req->arena, pointer, &req->faults, &ret->patch);
    ret->id = item.id;
    ret->version = item.version;
}

static enum err_code read_bulk(struct request *req, struct finding_patch_item **ret,
                               size_t *ret_count, struct err *err)
{
    static const char *const TYPES[] = {"application/json", NULL};
    struct bulk_body body = {NULL};
    const struct json *root;
    size_t count, i = 0;

    TRY(body_json(req, TYPES, &root, err));
    json_read_object(root, BODY_RULES, &body, req->arena, "", &req->faults);
    count = json_type(body.items) == JSON_ARRAY ? json_count(body.items) : 0;
    if (body.items != NULL && (count == 0 || count > BULK_ITEMS_MAX))
        json_fault(&req->faults, "/items", "is not an array of 1 to %d items", BULK_ITEMS_MAX);
    *ret = ARENA_ARRAY(req->arena, struct finding_patch_item, BULK_ITEMS_MAX);
    *ret_count = count;
    for (const struct json *node = json_first(body.items);
         node != NULL && count <= BULK_ITEMS_MAX && i < count; node = json_next(node), i++)
        read_item(req, node, i, &(*ret)[i]);
    return query_check(req, err);
}

/* The members that were changed, as they were. */
static void write_previous(struct json_writer *w, const struct finding *before,
                           const struct finding *after)
{
    json_object(w, "previous");
    if (before->status != after->status)
        json_text(w, "status", FINDING_STATUS_WORDS[before->status]);
    if (before->verdict != after->verdict)
        json_text(w, "verdict",
                  before->verdict >= 0 ? FINDING_VERDICT_WORDS[before->verdict] : NULL);
    if (!str_equal(before->assignee, after->assignee))
        json_text(w, "assignee", before->assignee);
    if (!str_equal(before->tags, after->tags))
        json_raw(w, "tags", before->tags);
    json_end(w);
}

static void write_result(struct json_writer *w, const struct finding_patch_item *item)
{
    static const char *const WORDS[] = {
        [FINDING_CHANGED] = "changed",
        [FINDING_UNCHANGED] = "unchanged",
        [FINDING_LOST_RACE] = "lost_race",
        [FINDING_NOT_FOUND] = "not_found",
    };

    json_object(w, NULL);
    json_int(w, "id", item->id);
    json_text(w, "outcome", WORDS[item->outcome]);
    if (item->outcome == FINDING_NOT_FOUND)
        json_null(w, "version");
    else
        json_int(w, "version", item->after.version);
    if (item->outcome == FINDING_CHANGED)
        write_previous(w, &item->before, &item->after);
    else
        json_null(w, "previous");
    json_end(w);
}

enum err_code update_findings(struct request *req, struct reply *reply, struct err *err)
{
    struct finding_patch_item *items;
    size_t count;

    TRY(read_bulk(req, &items, &count, err));
    TRY(run_job(req, items, count, err));
    json_object(&reply->json, NULL);
    json_array(&reply->json, "results");
    for (size_t i = 0; i < count; i++)
        write_result(&reply->json, &items[i]);
    json_end(&reply->json);
    json_end(&reply->json);
    return ERR_NONE;
}
