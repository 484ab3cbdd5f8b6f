/* GET /api/v1/lookup: whether a pair was ever seen, and why it was not flagged. */
#include "api/app.h"
#include "api/score_body.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "store/model_row.h"
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

static void write_window(struct json_writer *w, const struct window *window)
{
    if (window == NULL) {
        json_null(w, "window");
        return;
    }
    json_object(w, "window");
    json_time(w, "first_day", window->first_day_ms);
    json_time(w, "last_day", window->last_day_ms);
    json_int(w, "days", window->days);
    json_int(w, "sample_size", (int64_t)window->sample_size);
    json_end(w);
}

/* The threshold of now in place of the model's own. */
static enum err_code write_spec(struct db *db, struct arena *arena, struct pair_seen *seen,
                                struct json_writer *w, struct err *err)
{
    int64_t today_ms = clock_now_ms() / DAY_MS * DAY_MS;
    const struct model_spec_row *spec;
    struct model_row model;
    struct window window;
    bool by_window = false;

    TRY(model_row_get(db, arena, seen->model, &model, err));
    spec = model_row_spec(&model, seen->spec);
    if (spec != NULL)
        TRY(model_row_threshold(db, arena, &model, spec, today_ms, &window, &seen->threshold,
                                &by_window, err));
    json_object(w, NULL);
    json_fields(w, PAIR_SEEN_FIELDS, seen);
    write_window(w, by_window ? &window : NULL);
    json_end(w);
    return ERR_NONE;
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
        TRY(write_spec(db, req->arena, &found.items[i], w, err));
    json_end(w);
    json_bool(w, "partial", found.partial);
    if (found.partial_from != FIELD_NULL_INT)
        json_time(w, "complete_since", found.partial_from);
    else
        json_null(w, "complete_since");
    json_end(w);
    return ERR_NONE;
}
