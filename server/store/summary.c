#include "store/summary.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/change.h"
#include "store/db.h"
#include "store/object_row.h"
#include "store/rollup.h"

enum { V4_PREFIX_BYTES = 12, V4_NETWORK_BYTES = 15, V6_NETWORK_BYTES = 6 };

const char *const SUMMARY_AGE_WORDS[] = {"under_1h", "under_1d", "under_7d", "older", NULL};

struct status_row {
    int64_t new_, in_progress, suppressed, resolved, under_1h, under_1d, under_7d, older;
};
static const struct field STATUS_FIELDS[] = {
    FIELD(struct status_row, new_, FIELD_INT, .flags = 0),
    FIELD(struct status_row, in_progress, FIELD_INT, .flags = 0),
    FIELD(struct status_row, suppressed, FIELD_INT, .flags = 0),
    FIELD(struct status_row, resolved, FIELD_INT, .flags = 0),
    FIELD(struct status_row, under_1h, FIELD_INT, .flags = 0),
    FIELD(struct status_row, under_1d, FIELD_INT, .flags = 0),
    FIELD(struct status_row, under_7d, FIELD_INT, .flags = 0),
    FIELD(struct status_row, older, FIELD_INT, .flags = 0),
    FIELD_END,
};
struct day_row {
    int64_t flagged, observations;
};
static const struct field DAY_FIELDS[] = {
    FIELD(struct day_row, flagged, FIELD_INT, .flags = 0),
    FIELD(struct day_row, observations, FIELD_INT, .flags = 0),
    FIELD_END,
};
static const struct field ENTITY_FIELDS[] = {
    FIELD(struct summary_entity, entity, FIELD_TEXT, .flags = 0),
    FIELD(struct summary_entity, findings, FIELD_INT, .flags = 0),
    FIELD(struct summary_entity, max_percentile, FIELD_REAL, .flags = FIELD_NULLABLE),
    FIELD_END,
};
struct network_row {
    struct blob network;
    int64_t findings, entities;
};
static const struct field NETWORK_FIELDS[] = {
    FIELD(struct network_row, network, FIELD_BLOB, .flags = 0),
    FIELD(struct network_row, findings, FIELD_INT, .flags = 0),
    FIELD(struct network_row, entities, FIELD_INT, .flags = 0),
    FIELD_END,
};
struct spec_row {
    const char *name;
};
static const struct field SPEC_FIELDS[] = {
    FIELD(struct spec_row, name, FIELD_TEXT, .flags = 0),
    FIELD_END,
};

static enum err_code read_counts(struct db *db, const char *spec, int64_t now_ms,
                                 struct summary *ret, struct err *err)
{
    struct status_row status;
    struct day_row day;

    TRY(db_row(db, SQL_SUMMARY_STATUS, PARAMS(P_INT(now_ms), P_TEXT(spec)), STATUS_FIELDS, NULL,
               &status, err));
    TRY(db_row(db, SQL_SUMMARY_DAY, PARAMS(P_INT(now_ms - DAY_MS), P_TEXT(spec)), DAY_FIELDS, NULL,
               &day, err));
    (void)memcpy(ret->by_status, &status.new_, sizeof ret->by_status);
    (void)memcpy(ret->open_by_age, &status.under_1h, sizeof ret->open_by_age);
    ret->flagged_24h = day.flagged;
    ret->observations_24h = day.observations;
    return ERR_NONE;
}

static enum err_code read_entities(struct db *db, struct arena *arena, const char *spec,
                                   struct summary *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};

    TRY(db_query(db, SQL_SUMMARY_ENTITIES, PARAMS(P_TEXT(spec), P_INT(SUMMARY_TOP)), &q, err));
    while (ret->top_entity_count < SUMMARY_TOP &&
           query_next(&q, ENTITY_FIELDS, arena, &ret->top_entities[ret->top_entity_count]))
        ret->top_entity_count++;
    return query_end(&q, err);
}

/* The first bytes of the addresses tell the family: only IPv4's networks have 15. */
static struct cidr network_of(const struct blob *prefix)
{
    struct ip ip = {{0}};

    (void)memcpy(ip.bytes, prefix->bytes,
                 prefix->length < sizeof ip.bytes ? prefix->length : sizeof ip.bytes);
    return cidr_around(&ip, prefix->length == V4_NETWORK_BYTES ? 24 : 48);
}

static enum err_code read_networks(struct db *db, struct arena *arena, const char *spec,
                                   struct summary *ret, struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct ip v4 = ip_from_v4(0);
    struct network_row row;

    TRY(db_query(db, SQL_SUMMARY_NETWORKS,
                 PARAMS(P_BLOB(v4.bytes, V4_PREFIX_BYTES), P_TEXT(spec), P_INT(SUMMARY_TOP)), &q,
                 err));
    while (ret->top_network_count < SUMMARY_TOP && query_next(&q, NETWORK_FIELDS, arena, &row))
        ret->top_networks[ret->top_network_count++] =
            (struct summary_network){network_of(&row.network), row.findings, row.entities};
    return query_end(&q, err);
}

static enum err_code read_specs(struct db *db, struct arena *arena, struct summary *ret,
                                struct err *err)
{
    AUTO(query_done) struct query q = {0};
    struct spec_row row;

    ret->specs = ARENA_ARRAY(arena, const char *, SUMMARY_SPECS_MAX);
    TRY(db_query(db, SQL_SPEC_LIST, PARAMS(P_INT(SUMMARY_SPECS_MAX)), &q, err));
    while (ret->spec_count < SUMMARY_SPECS_MAX && query_next(&q, SPEC_FIELDS, arena, &row))
        ret->specs[ret->spec_count++] = row.name;
    return query_end(&q, err);
}

enum err_code summary_get(struct db *db, struct arena *arena, const char *spec, struct summary *ret,
                          struct err *err)
{
    struct object_counts objects;
    int64_t now_ms;

    *ret = (struct summary){0};
    TRY(rollup_range(db, &ret->first_observation, &ret->newest_observation, err));
    now_ms = ret->newest_observation != FIELD_NULL_INT ? ret->newest_observation + HOUR_MS
                                                       : clock_now_ms();
    TRY(read_counts(db, spec, now_ms, ret, err));
    TRY(read_entities(db, arena, spec, ret, err));
    TRY(read_networks(db, arena, spec, ret, err));
    TRY(read_specs(db, arena, ret, err));
    TRY(object_count(db, &objects, err));
    ret->objects_failed = objects.failed;
    return change_last_seq(db, &ret->last_seq, err);
}
