/* GET /api/v1/lookup: whether a pair was ever seen, and why it was not flagged. */
#include "api/app.h"
#include "api/score_body.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "store/pair.h"

enum { LOOKUP_MS_MAX = 3000 }; /* below the deadline of any query: then the answer is partial */

static void write_total(struct json_writer *w, const struct pair_lookup *found)
{
    int64_t sightings = 0, observations = 0, first = INT64_MAX, last = INT64_MIN;

    for (size_t i = 0; i < found->count; i++) {
        sightings += found->items[i].sightings;
        observations += found->items[i].observations;
        first = found->items[i].first < first ? found->items[i].first : first;
        last = found->items[i].last > last ? found->items[i].last : last;
    }
    json_int(w, "sightings", sightings);
    json_int(w, "observations", observations);
    if (found->count > 0) {
        json_time(w, "first", first);
        json_time(w, "last", last);
    } else {
        json_null(w, "first");
        json_null(w, "last");
    }
}

enum err_code lookup_pair(struct request *req, struct reply *reply, struct err *err)
{
    struct json_writer *w = &reply->json;
    struct pair_lookup found;
    const char *entity = NULL, *text = NULL;
    char shown[IP_TEXT_BYTES];
    struct ip ip = {{0}};
    struct db *db;

    query_text(req, "entity", SCORES_ENTITY_BYTES_MAX, &entity);
    query_text(req, "ip", IP_TEXT_BYTES, &text);
    if (entity == NULL)
        json_fault(&req->faults, "?entity", "is missing");
    if (text == NULL)
        json_fault(&req->faults, "?ip", "is missing");
    else if (!ip_parse(text, &ip))
        json_fault(&req->faults, "?ip", "is not an IP address");
    TRY(query_check(req, err));
    TRY(app_db(req, &db, err));
    TRY(pair_look_up(db, req->arena, entity, &ip, clock_mono_ms() + LOOKUP_MS_MAX, &found, err));
    (void)ip_format(shown, &ip);
    json_object(w, NULL);
    json_text(w, "entity", entity);
    json_text(w, "ip", shown);
    write_total(w, &found);
    json_array(w, "specs");
    for (size_t i = 0; i < found.count; i++)
        json_row(w, NULL, PAIR_SEEN_FIELDS, &found.items[i]);
    json_end(w);
    json_bool(w, "partial", found.partial);
    if (found.partial_from != FIELD_NULL_INT)
        json_time(w, "complete_since", found.partial_from);
    else
        json_null(w, "complete_since");
    json_end(w);
    return ERR_NONE;
}
