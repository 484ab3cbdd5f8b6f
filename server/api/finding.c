/* One finding: why it is one, what happened to it, when its pair was seen. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "api/finding_view.h"
#include "base/clock.h"
#include "base/json.h"
#include "gen/routes.h"
#include "store/change.h"
#include "store/finding.h"
#include "store/observation.h"

enum {
    SIGHTINGS_DEFAULT = 50,
    SIGHTINGS_MAX = 500,
};
#define HOURLY_MS_MAX (INT64_C(4) * DAY_MS) /* longer spans are counted by day */

void finding_etag(const struct finding *finding, char ret[static FINDING_ETAG_BYTES])
{
    (void)snprintf(ret, FINDING_ETAG_BYTES, "v%" PRId64, finding->version);
}

enum err_code finding_of_path(struct request *req, struct finding *ret, struct err *err)
{
    struct db *db;
    int64_t id;

    TRY(path_int(req, "id", &id, err));
    TRY(app_db(req, &db, err));
    return finding_get(db, req->arena, id, ret, err);
}

/* What the explanation says of it, or the model's own. */
static double held_against(const struct finding_why *why)
{
    AUTO(json_doc_freep) struct json_doc *doc = NULL;
    double threshold = why->threshold;
    struct err err = {0};

    if (why->explanation == NULL ||
        json_parse(why->explanation, strlen(why->explanation), &doc, &err) != ERR_NONE)
        return threshold;
    (void)json_number_of(json_path(json_root(doc), "judged_by.threshold"), &threshold);
    return threshold;
}

enum err_code finding_write(struct request *req, struct reply *reply, const struct finding *finding,
                            struct err *err)
{
    char etag[FINDING_ETAG_BYTES];
    struct finding_why why;

    TRY(finding_why(req->thread_context, req->arena, finding->id, &why, err));
    finding_etag(finding, etag);
    reply_etag(reply, "%s", etag);
    json_object(&reply->json, NULL);
    json_row(&reply->json, "finding", FINDING_FIELDS, finding);
    json_real(&reply->json, "threshold", held_against(&why));
    json_text(&reply->json, "detector", why.detector);
    json_raw(&reply->json, "explanation", why.explanation);
    json_end(&reply->json);
    return ERR_NONE;
}

enum err_code get_finding(struct request *req, struct reply *reply, struct err *err)
{
    struct finding finding;

    TRY(query_check(req, err));
    TRY(finding_of_path(req, &finding, err));
    return finding_write(req, reply, &finding, err);
}

enum err_code list_history(struct request *req, struct reply *reply, struct err *err)
{
    struct finding finding;
    struct change_list changes;

    TRY(query_check(req, err));
    TRY(finding_of_path(req, &finding, err));
    TRY(change_history(req->thread_context, req->arena, finding.id, &changes, err));
    json_object(&reply->json, NULL);
    json_array(&reply->json, "changes");
    for (size_t i = 0; i < changes.count; i++)
        json_row(&reply->json, NULL, CHANGE_FIELDS, &changes.items[i]);
    json_end(&reply->json);
    json_end(&reply->json);
    return ERR_NONE;
}

enum err_code list_sightings(struct request *req, struct reply *reply, struct err *err)
{
    struct finding finding;
    struct sighting_list sightings;
    struct sighting_buckets buckets;
    struct json_writer *w = &reply->json;
    int64_t limit = SIGHTINGS_DEFAULT;
    bool hourly;

    query_int(req, "limit", 1, SIGHTINGS_MAX, &limit);
    TRY(query_check(req, err));
    TRY(finding_of_path(req, &finding, err));
    hourly = finding.last_seen - finding.first_seen <= HOURLY_MS_MAX;
    TRY(sighting_list(req->thread_context, req->arena, finding.id, limit, &sightings, err));
    TRY(sighting_by_time(req->thread_context, req->arena, finding.id, hourly ? HOUR_MS : DAY_MS,
                         &buckets, err));
    json_object(w, NULL);
    json_array(w, "sightings");
    for (size_t i = 0; i < sightings.count; i++)
        json_row(w, NULL, SIGHTING_FIELDS, &sightings.items[i]);
    json_end(w);
    json_text(w, "bucket", hourly ? "hour" : "day");
    json_array(w, "buckets");
    for (size_t i = 0; i < buckets.count; i++)
        json_row(w, NULL, SIGHTING_BUCKET_FIELDS, &buckets.items[i]);
    json_end(w);
    json_end(w);
    return ERR_NONE;
}
