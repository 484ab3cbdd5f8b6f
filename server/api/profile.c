/* GET /api/v1/entities/{entity} and /api/v1/ips/{ip}: what is known of one side of the pairs. */
#include <string.h>

#include "api/app.h"
#include "api/score_body.h"
#include "base/clock.h"
#include "gen/routes.h"
#include "store/profile.h"

enum { PROFILE_MS_MAX = 1500 }; /* below the deadline of any query: then the answer is partial */

static void write_rows(struct json_writer *w, const char *key, const struct field *fields,
                       const void *rows, size_t size, size_t count)
{
    json_array(w, key);
    for (size_t i = 0; i < count; i++)
        json_row(w, NULL, fields, (const char *)rows + i * size);
    json_end(w);
}

static void write_days(struct json_writer *w, const struct profile *profile)
{
    json_array(w, "days");
    for (int i = 0; i < PROFILE_DAYS; i++) {
        if (profile->events[i] == 0)
            continue;
        json_object(w, NULL);
        json_time(w, "day", profile->since + (int64_t)i * DAY_MS);
        json_int(w, "observations", profile->events[i]);
        json_int(w, "flagged", profile->flagged[i]);
        json_end(w);
    }
    json_end(w);
}

static void write_profile(struct json_writer *w, const struct profile *profile)
{
    json_time(w, "since", profile->since);
    json_time(w, "until", profile->until);
    json_bool(w, "partial", profile->partial);
    json_time(w, "complete_since", profile->complete_since);
    json_int(w, "sightings", profile->sightings);
    json_int(w, "observations", profile->observations);
    json_time(w, "first", profile->sightings > 0 ? profile->first : FIELD_NULL_INT);
    json_time(w, "last", profile->sightings > 0 ? profile->last : FIELD_NULL_INT);
    write_rows(w, "specs", PROFILE_SPEC_FIELDS, profile->specs, sizeof *profile->specs,
               profile->spec_count);
    write_days(w, profile);
}

enum err_code get_entity(struct request *req, struct reply *reply, struct err *err)
{
    const char *entity = path_text(req, "entity");
    struct json_writer *w = &reply->json;
    struct profile profile;
    struct db *db;

    TRY(query_check(req, err));
    if (strlen(entity) > SCORES_ENTITY_BYTES_MAX)
        return err_set(err, ERR_NOT_FOUND, "an entity has at most %d bytes",
                       SCORES_ENTITY_BYTES_MAX);
    TRY(app_db(req, &db, err));
    TRY(profile_of_entity(db, req->arena, entity, clock_mono_ms() + PROFILE_MS_MAX, &profile, err));
    json_object(w, NULL);
    json_text(w, "entity", entity);
    write_profile(w, &profile);
    json_int(w, "address_count", profile.partner_count);
    write_rows(w, "addresses", PROFILE_ADDRESS_FIELDS, profile.partners, sizeof *profile.partners,
               profile.partners_given);
    write_rows(w, "networks", PROFILE_NETWORK_FIELDS, profile.networks, sizeof *profile.networks,
               profile.network_count);
    json_end(w);
    return ERR_NONE;
}

enum err_code get_ip(struct request *req, struct reply *reply, struct err *err)
{
    const char *text = path_text(req, "ip");
    struct json_writer *w = &reply->json;
    struct profile profile;
    struct ip ip;
    struct db *db;

    TRY(query_check(req, err));
    if (!ip_parse(text, &ip))
        return err_set(err, ERR_NOT_FOUND, "\"%.64s\" is not an IP address", text);
    TRY(app_db(req, &db, err));
    TRY(profile_of_ip(db, req->arena, &ip, clock_mono_ms() + PROFILE_MS_MAX, &profile, err));
    json_object(w, NULL);
    json_ip(w, "ip", &ip);
    write_profile(w, &profile);
    json_int(w, "entity_count", profile.partner_count);
    write_rows(w, "entities", PROFILE_ENTITY_FIELDS, profile.partners, sizeof *profile.partners,
               profile.partners_given);
    json_end(w);
    return ERR_NONE;
}
