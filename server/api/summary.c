/* GET /api/v1/summary: the state of the queue at a glance. */
#include "store/summary.h"
#include "api/app.h"
#include "api/names.h"
#include "base/ip.h"
#include "gen/routes.h"
#include "store/finding.h"

static void write_counts(struct json_writer *w, const struct summary *summary)
{
    json_object(w, "by_status");
    for (size_t i = 0; FINDING_STATUS_WORDS[i] != NULL; i++)
        json_int(w, FINDING_STATUS_WORDS[i], summary->by_status[i]);
    json_end(w);
    json_array(w, "open_by_age");
    for (size_t i = 0; i < SUMMARY_AGES; i++) {
        json_object(w, NULL);
        json_text(w, "age", SUMMARY_AGE_WORDS[i]);
        json_int(w, "count", summary->open_by_age[i]);
        json_end(w);
    }
    json_end(w);
    json_int(w, "flagged_24h", summary->flagged_24h);
    json_int(w, "observations_24h", summary->observations_24h);
}

static void write_tops(struct json_writer *w, const struct summary *summary)
{
    char network[CIDR_TEXT_BYTES];

    json_array(w, "top_entities");
    for (size_t i = 0; i < summary->top_entity_count; i++) {
        json_object(w, NULL);
        json_text(w, "entity", summary->top_entities[i].entity);
        json_int(w, "findings", summary->top_entities[i].findings);
        json_real(w, "max_percentile", summary->top_entities[i].max_percentile);
        json_end(w);
    }
    json_end(w);
    json_array(w, "top_networks");
    for (size_t i = 0; i < summary->top_network_count; i++) {
        (void)cidr_format(network, &summary->top_networks[i].network);
        json_object(w, NULL);
        json_text(w, "network", network);
        json_int(w, "findings", summary->top_networks[i].findings);
        json_int(w, "entities", summary->top_networks[i].entities);
        json_end(w);
    }
    json_end(w);
}

enum err_code get_summary(struct request *req, struct reply *reply, struct err *err)
{
    struct json_writer *w = &reply->json;
    struct summary summary;
    const char *spec = NULL;
    struct db *db;

    query_text(req, "spec", SPEC_NAME_LENGTH_MAX, &spec);
    if (spec != NULL && !spec_name_is_valid(spec))
        json_fault(&req->faults, "?spec", "is not a spec's name");
    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(summary_get(db, req->arena, spec, &summary, err));
    json_object(w, NULL);
    write_counts(w, &summary);
    write_tops(w, &summary);
    json_array(w, "specs");
    for (size_t i = 0; i < summary.spec_count; i++)
        json_text(w, NULL, summary.specs[i]);
    json_end(w);
    json_time(w, "newest_observation", summary.newest_observation);
    json_time(w, "first_observation", summary.first_observation);
    json_int(w, "objects_failed", summary.objects_failed);
    json_int(w, "last_seq", summary.last_seq);
    json_end(w);
    return ERR_NONE;
}
